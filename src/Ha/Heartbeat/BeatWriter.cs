using System.Buffers;
using System.Buffers.Text;
using System.Text;
using Ha.Election;

namespace Ha.Heartbeat;

/// <summary>Writes messages into a buffer of its own; one per thread, so that writing allocates nothing.</summary>
internal sealed class BeatWriter
{
    [ThreadStatic]
    private static BeatWriter? _ofThread;

    private readonly byte[] _buffer = new byte[BeatLimits.MaxBodyBytes];
    private int _length;

    private BeatWriter()
    {
    }

    public static BeatWriter OfThread => _ofThread ??= new BeatWriter();

    /// <returns>Valid until the next message is written on this thread.</returns>
    public ReadOnlySpan<byte> Write(in Beat beat)
    {
        _length = 0;
        var names = Wire.Request.Openings;
        Raw(names[0]);
        Facts(beat.From);
        Identity(names[1], beat.ToIncarnation);
        Identity(names[2], beat.Nonce);
        Integer(names[3], beat.Seq);
        Raw(names[4], Wire.Ops[(int)beat.Op]);
        Integer(names[5], beat.OpEpoch);
        Integer(names[6], beat.OpDurationMicros);
        Raw("}"u8);
        return _buffer.AsSpan(0, _length);
    }

    /// <returns>Valid until the next message is written on this thread.</returns>
    public ReadOnlySpan<byte> Write(in BeatReply reply)
    {
        _length = 0;
        var names = Wire.Reply.Openings;
        Raw(names[0], Wire.Statuses[(int)reply.Status]);
        Raw(names[1]);
        Facts(reply.From);
        Identity(names[2], reply.ToIncarnation);
        Integer(names[3], reply.Seq);
        Identity(names[4], reply.Nonce);
        Integer(names[5], reply.OpEpoch);
        Boolean(names[6], reply.Granted);
        Raw(names[7], Wire.Refusals[(int)reply.Refusal]);
        Integer(names[8], reply.RefusalRemainingMicros);
        Integer(names[9], reply.EpochFloor);
        Raw("}"u8);
        return _buffer.AsSpan(0, _length);
    }

    private void Facts(in NodeFacts facts)
    {
        var names = Wire.Facts.Openings;
        Text(names[0], facts.ClusterId);
        Text(names[1], facts.Id);
        Identity(names[2], facts.Incarnation);
        Text(names[3], facts.Target);
        Text(names[4], facts.PublicTarget);
        Text(names[5], facts.Digest);
        Integer(names[6], facts.LeaseMicros);
        Integer(names[7], facts.CandidacyMicros);
        Boolean(names[8], facts.Majority);
        Boolean(names[9], facts.Witness);
        Boolean(names[10], facts.Quarantined);
        Raw(names[11], Wire.Roles[(int)facts.Role]);
        Boolean(names[12], facts.Eligible);
        Integer(names[13], facts.Reach);
        Integer(names[14], facts.Epoch);
        Integer(names[15], facts.LeaseRemainingMicros);
        Integer(names[16], facts.MaxEpoch);
        Integer(names[17], facts.WallMicros);
        Integer(names[18], facts.ReleasedUpTo);
        Integer(names[19], facts.CancelledEpoch);
        Optional(names, facts);
        Raw("}"u8);
    }

    private void Optional(byte[][] names, in NodeFacts facts)
    {
        if (facts.Grant is { } grant)
        {
            Raw(names[20]);
            Text(Wire.Grant.Openings[0], grant.Holder);
            Integer(Wire.Grant.Openings[1], grant.Epoch);
            Integer(Wire.Grant.Openings[2], grant.RemainingMicros);
            Raw("}"u8);
        }

        if (facts.Hint is { } hint)
        {
            Raw(names[21]);
            Text(Wire.Hint.Openings[0], hint.Target);
            Integer(Wire.Hint.Openings[1], hint.Epoch);
            Raw("}"u8);
        }

        if (facts.Successor is { } successor)
        {
            Text(names[22], successor);
        }
    }

    /// <summary>Nothing needs escaping: ids and URLs were checked where they came from, the configuration or a message.</summary>
    private void Text(ReadOnlySpan<byte> name, string value)
    {
        Raw(name, "\""u8);
        if (value.AsSpan().ContainsAnyExcept(Wire.PlainCharacters) ||
            Ascii.FromUtf16(value, _buffer.AsSpan(_length), out var written) != OperationStatus.Done)
        {
            throw new InvalidOperationException("An id or a URL is too long or not plain ASCII.");
        }

        _length += written;
        Raw("\""u8);
    }

    private void Integer(ReadOnlySpan<byte> name, long value)
    {
        Raw(name);
        Utf8Formatter.TryFormat(value, _buffer.AsSpan(_length), out var written);
        _length += written;
    }

    private void Boolean(ReadOnlySpan<byte> name, bool value) => Raw(name, value ? "true"u8 : "false"u8);

    private void Identity(ReadOnlySpan<byte> name, Guid value)
    {
        Raw(name, "\""u8);
        Utf8Formatter.TryFormat(value, _buffer.AsSpan(_length), out var written, 'N');
        _length += written;
        Raw("\""u8);
    }

    private void Raw(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        Raw(name);
        Raw(value);
    }

    private void Raw(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_buffer.AsSpan(_length));
        _length += bytes.Length;
    }
}
