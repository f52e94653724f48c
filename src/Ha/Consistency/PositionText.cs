using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text;
using Ha.Security;
using Ha.Telemetry;

namespace Ha.Consistency;

/// <summary>
/// A position as it travels: base64url of version, key id with its length, epoch, number, and the signature of the cluster's key over all
/// of it and the cluster id. Opaque to clients. Never throws on what came from the network.
/// </summary>
internal static class PositionText
{
    /// <summary>Longer texts are refused unread; those of the longest key have 131 characters.</summary>
    public const int MaxLength = 200;

    private const byte Version = 1;
    private const int NumbersLength = 2 * sizeof(long);
    private const int MaxKeyIdLength = 16;
    private const int MaxBytes = MaxLength / 4 * 3;

    // No signature base of a heartbeat begins so: those begin with a quote.
    private static ReadOnlySpan<byte> Context => "ha position 1\n"u8;

    /// <returns>Null where there is no key to sign with.</returns>
    public static string? Write(ReadPosition position, string clusterId, KeyRing keys)
    {
        var signer = keys.Signer;
        if (signer is null && !keys.Unsigned)
        {
            return null;
        }

        byte[] keyId = signer is null ? [] : Convert.FromHexString(signer.KeyId);
        Span<byte> head = stackalloc byte[2 + MaxKeyIdLength + NumbersLength];
        (head[0], head[1]) = (Version, (byte)keyId.Length);
        keyId.CopyTo(head[2..]);
        BinaryPrimitives.WriteInt64BigEndian(head[(2 + keyId.Length)..], position.Epoch);
        BinaryPrimitives.WriteInt64BigEndian(head[(2 + keyId.Length + sizeof(long))..], position.Number);
        head = head[..(2 + keyId.Length + NumbersLength)];
        return Base64Url.EncodeToString([.. head, .. signer?.Sign(Signed(clusterId, head)) ?? []]);
    }

    /// <summary>What it says, whoever says so.</summary>
    /// <returns>False: it is no position.</returns>
    public static bool TryRead(ReadOnlySpan<char> text, out ReadPosition position)
    {
        Span<byte> bytes = stackalloc byte[MaxBytes];
        position = default;
        if (!TryDecode(text, ref bytes, out var headLength))
        {
            return false;
        }

        var numbers = bytes[(headLength - NumbersLength)..headLength];
        position = new ReadPosition(
            BinaryPrimitives.ReadInt64BigEndian(numbers), BinaryPrimitives.ReadInt64BigEndian(numbers[sizeof(long)..]));
        return position is { Epoch: >= 0, Number: >= 0 };
    }

    /// <summary>Whether a key of <paramref name="keys"/> has signed it for this cluster.</summary>
    /// <returns>Null: one has. Else why it must be ignored.</returns>
    public static PositionOutcome? WhyNot(ReadOnlySpan<char> text, string clusterId, KeyRing keys)
    {
        Span<byte> bytes = stackalloc byte[MaxBytes];
        if (!TryDecode(text, ref bytes, out var headLength))
        {
            return PositionOutcome.Malformed;
        }

        var signature = bytes[headLength..];
        if (keys.Unsigned)
        {
            return headLength == 2 + NumbersLength && signature.IsEmpty ? null : PositionOutcome.UnknownKey;
        }

        return !keys.TryFind(Convert.ToHexStringLower(bytes[2..(headLength - NumbersLength)]), out var found) ? PositionOutcome.UnknownKey
            : found.Key.Verify(Signed(clusterId, bytes[..headLength]), signature) ? null
            : PositionOutcome.BadSignature;
    }

    private static bool TryDecode(ReadOnlySpan<char> text, ref Span<byte> bytes, out int headLength)
    {
        headLength = 0;
        if (text.Length > MaxLength || Base64Url.DecodeFromChars(text, bytes, out _, out var length) != OperationStatus.Done
            || length < 2 + NumbersLength || bytes[0] != Version || bytes[1] > MaxKeyIdLength || length < 2 + bytes[1] + NumbersLength)
        {
            return false;
        }

        headLength = 2 + bytes[1] + NumbersLength;
        bytes = bytes[..length];
        return true;
    }

    private static byte[] Signed(string clusterId, ReadOnlySpan<byte> head) =>
        [.. Context, .. Encoding.UTF8.GetBytes(clusterId), (byte)'\n', .. head];
}
