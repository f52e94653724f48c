using System.Buffers;

namespace Ha.Heartbeat;

/// <summary>Reads the body of a request or of an answer with a bound on its size, whatever its length claims.</summary>
internal static class BoundedBody
{
    /// <returns>All of it; null when it is longer than <see cref="BeatJson.MaxBodyBytes"/>.</returns>
    public static async Task<byte[]?> ReadAsync(Stream body, CancellationToken cancellationToken)
    {
        const int room = BeatJson.MaxBodyBytes + 1;
        var buffer = ArrayPool<byte>.Shared.Rent(room);
        try
        {
            var length = await body.ReadAtLeastAsync(buffer.AsMemory(0, room), room, throwOnEndOfStream: false, cancellationToken);
            return length < room ? buffer[..length] : null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
