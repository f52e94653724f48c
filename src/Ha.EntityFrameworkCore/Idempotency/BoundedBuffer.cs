namespace Ha.EntityFrameworkCore.Idempotency;

/// <summary>Keeps what a handler answers, up to <paramref name="maxBytes"/>.</summary>
internal sealed class BoundedBuffer(int maxBytes) : MemoryStream
{
    /// <summary>True once more was written than it holds.</summary>
    public bool IsTooSmall { get; private set; }

    public static InvalidOperationException TooLong(int maxBytes) =>
        new($"An answer of more than {maxBytes} bytes cannot be kept under an Idempotency-Key, so nothing was committed: "
            + "answer with less, raise HaIdempotencyOptions.MaxAnswerBytes, or take HonorsIdempotencyKey from the endpoint.");

    public override void Write(byte[] buffer, int offset, int count)
    {
        Check(count);
        base.Write(buffer, offset, count);
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        Check(buffer.Length);
        base.Write(buffer);
    }

    public override void WriteByte(byte value)
    {
        Check(1);
        base.WriteByte(value);
    }

    private void Check(int more)
    {
        if (IsTooSmall || Length + more > maxBytes)
        {
            IsTooSmall = true;
            throw TooLong(maxBytes);
        }
    }
}
