using System.Security.Cryptography;

namespace Ha.Tests.OnTheWire;

/// <summary>Bytes that two processes know without sending them to each other.</summary>
internal static class WireBytes
{
    public const int Largest = 2 * 1024 * 1024;

    private const int Offsets = 1 << 20;
    private static readonly byte[] _bytes = Make();

    /// <summary>What the client sends with a write.</summary>
    public static ReadOnlyMemory<byte> Body(int id, int size) => _bytes.AsMemory((int)(id * 2654435761L % Offsets), size);

    /// <summary>What the node that executes it answers.</summary>
    public static ReadOnlyMemory<byte> Answer(int id, int size) => _bytes.AsMemory((int)((id + 0.5) * 40503 % Offsets), size);

    public static string Checksum(ReadOnlySpan<byte> bytes) => Convert.ToHexString(SHA256.HashData(bytes));

    private static byte[] Make()
    {
        var bytes = new byte[Offsets + Largest];
        new Random(12).NextBytes(bytes);
        return bytes;
    }
}
