using System.Globalization;
using System.IO.Compression;
using System.Text;

namespace Ha.Tests.Pipelines;

/// <summary>How a request ended for the client.</summary>
internal enum Ending
{
    /// <summary>An answer, to its end.</summary>
    Answered,

    /// <summary>The connection or the stream broke, before the answer or in the middle of it.</summary>
    Broken,

    /// <summary>The client went away.</summary>
    Left,

    /// <summary>Nothing came within the client's patience.</summary>
    Silence,
}

/// <summary>What a client saw of one request.</summary>
internal sealed record Seen(Ending Ending)
{
    public int Status { get; init; }

    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>True: more came on the connection than the answer.</summary>
    public bool Surplus { get; init; }

    /// <summary>True: an earlier request had used the connection.</summary>
    public bool Reused { get; init; }

    /// <summary>What broke it.</summary>
    public string? Failure { get; init; }

    public bool IsSuccess => Ending == Ending.Answered && Status is >= 200 and < 300;

    public string? Header(string name) => Headers.GetValueOrDefault(name);

    /// <summary>The body as the handler wrote it; null when its encoding is broken.</summary>
    public ReadOnlyMemory<byte>? Plain()
    {
        if (Header("Content-Encoding") != "gzip")
        {
            return Body;
        }

        try
        {
            using var gzip = new GZipStream(new MemoryStream(Body.ToArray()), CompressionMode.Decompress);
            using var plain = new MemoryStream();
            gzip.CopyTo(plain);
            return plain.ToArray();
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    public override string ToString()
    {
        if (Ending is Ending.Left or Ending.Silence)
        {
            return $"{Ending}";
        }

        var shown = string.Join(", ", Headers.Where(h => h.Key != "Date").Select(h => $"{h.Key}: {h.Value}"));
        var text = Body.Length > 300 ? "" : $" \"{Encoding.Latin1.GetString(Body.Span)}\"";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Ending}{(Reused ? " on a used connection" : "")}{(Failure is null ? "" : $" ({Failure})")}, {Status} [{shown}], {Body.Length} bytes{text}{(Surplus ? " and more" : "")}");
    }
}
