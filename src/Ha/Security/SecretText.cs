using System.Text;

namespace Ha.Security;

/// <summary>What was found where a secret or a certificate should be. Not a record: those print what they hold.</summary>
/// <param name="content">What stands in the file; empty when it could not be read.</param>
/// <param name="obstacle">Why it is of no use, as a clause that follows the file's name; null: it is.</param>
internal readonly struct SecretText(string content, string? obstacle) : IEquatable<SecretText>
{
    /// <summary>A secret is a line, not a disk: whatever is larger was named by mistake.</summary>
    public const int MaxBytes = 64 * 1024;

    public string Content { get; } = content;

    public string? Obstacle { get; } = obstacle;

    public static SecretText Read(string path)
    {
        try
        {
            // Whoever renews the file must not find it locked.
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(file);
            var content = ReadBeyond(reader, MaxBytes);
            return content.Length > MaxBytes ? new("", $"names a file of more than {MaxBytes / 1024} KiB; name the right one")
                : content.AsSpan().ContainsAnyExcept(",\r\n\t ") ? new(content, null)
                : new("", "names an empty file; fill it or name the right one");
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return new("", "names a file that does not exist; create it or correct the path");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return new("", $"names a file that cannot be read ({error.GetType().Name}); let the account of this process read it");
        }
    }

    /// <summary>All of it, or a little more than the limit. Files are read several times a second, so without a buffer for the largest.</summary>
    private static string ReadBeyond(StreamReader reader, int limit)
    {
        var text = new StringBuilder();
        Span<char> piece = stackalloc char[512];
        while (text.Length <= limit && reader.Read(piece) is > 0 and var read)
        {
            text.Append(piece[..read]);
        }

        return text.ToString();
    }

    /// <summary>The path for a message. Whoever puts a secret where a path belongs must not find it in the log.</summary>
    public static string Shown(string path) =>
        Path.IsPathRooted(path) || path.StartsWith('.') ? path : $"{path.Length} characters";

    public bool Equals(SecretText other) => Content == other.Content && Obstacle == other.Obstacle;

    public override bool Equals(object? obj) => obj is SecretText other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(Content, Obstacle);

    public override string ToString() => Obstacle ?? $"{Content.Length} characters";
}
