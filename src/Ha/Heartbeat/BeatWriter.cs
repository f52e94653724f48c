using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ha.Election;

namespace Ha.Heartbeat;

/// <summary>Writes messages into a buffer of its own; one per thread, so that writing allocates nothing.</summary>
[SuppressMessage("Design", "CA1001", Justification = "Lives as long as its thread and holds managed memory only.")]
internal sealed class BeatWriter
{
    private const int InitialBytes = 2048;

    [ThreadStatic]
    private static BeatWriter? _ofThread;

    private readonly ArrayBufferWriter<byte> _buffer = new(InitialBytes);
    private readonly Utf8JsonWriter _json;

    private BeatWriter() => _json = new Utf8JsonWriter(
        _buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });

    public static BeatWriter OfThread => _ofThread ??= new BeatWriter();

    /// <returns>Valid until the next message is written on this thread.</returns>
    public ReadOnlySpan<byte> Write(Beat beat)
    {
        Begin();
        var names = Wire.Request.Encoded;
        WriteFacts(names[0], beat.From);
        WriteIdentity(names[1], beat.ToIncarnation);
        WriteIdentity(names[2], beat.Nonce);
        _json.WriteNumber(names[3], beat.Seq);
        _json.WriteString(names[4], Wire.Ops[(int)beat.Op]);
        _json.WriteNumber(names[5], beat.OpEpoch);
        _json.WriteNumber(names[6], beat.OpDurationMicros);
        return End();
    }

    /// <returns>Valid until the next message is written on this thread.</returns>
    public ReadOnlySpan<byte> Write(BeatReply reply)
    {
        Begin();
        var names = Wire.Reply.Encoded;
        _json.WriteString(names[0], Wire.Statuses[(int)reply.Status]);
        WriteFacts(names[1], reply.From);
        WriteIdentity(names[2], reply.ToIncarnation);
        _json.WriteNumber(names[3], reply.Seq);
        WriteIdentity(names[4], reply.Nonce);
        _json.WriteNumber(names[5], reply.OpEpoch);
        _json.WriteBoolean(names[6], reply.Granted);
        _json.WriteString(names[7], Wire.Refusals[(int)reply.Refusal]);
        _json.WriteNumber(names[8], reply.RefusalRemainingMicros);
        _json.WriteNumber(names[9], reply.EpochFloor);
        return End();
    }

    private void Begin()
    {
        _buffer.ResetWrittenCount();
        _json.Reset(_buffer);
        _json.WriteStartObject();
    }

    private ReadOnlySpan<byte> End()
    {
        _json.WriteEndObject();
        _json.Flush();
        return _buffer.WrittenSpan;
    }

    private void WriteFacts(JsonEncodedText name, NodeFacts facts)
    {
        var names = Wire.Facts.Encoded;
        _json.WriteStartObject(name);
        _json.WriteString(names[0], facts.ClusterId);
        _json.WriteString(names[1], facts.Id);
        WriteIdentity(names[2], facts.Incarnation);
        _json.WriteString(names[3], facts.Target);
        _json.WriteString(names[4], facts.PublicTarget);
        _json.WriteString(names[5], facts.Digest);
        _json.WriteNumber(names[6], facts.LeaseMicros);
        _json.WriteNumber(names[7], facts.CandidacyMicros);
        _json.WriteBoolean(names[8], facts.Majority);
        _json.WriteBoolean(names[9], facts.Witness);
        _json.WriteBoolean(names[10], facts.Quarantined);
        _json.WriteString(names[11], Wire.Roles[(int)facts.Role]);
        _json.WriteBoolean(names[12], facts.Eligible);
        _json.WriteNumber(names[13], facts.Reach);
        _json.WriteNumber(names[14], facts.Epoch);
        _json.WriteNumber(names[15], facts.LeaseRemainingMicros);
        _json.WriteNumber(names[16], facts.MaxEpoch);
        _json.WriteNumber(names[17], facts.WallMicros);
        _json.WriteNumber(names[18], facts.ReleasedUpTo);
        _json.WriteNumber(names[19], facts.CancelledEpoch);
        WriteOptional(names, facts);
        _json.WriteEndObject();
    }

    private void WriteOptional(JsonEncodedText[] names, NodeFacts facts)
    {
        if (facts.Grant is { } grant)
        {
            _json.WriteStartObject(names[20]);
            _json.WriteString(Wire.Grant.Encoded[0], grant.Holder);
            _json.WriteNumber(Wire.Grant.Encoded[1], grant.Epoch);
            _json.WriteNumber(Wire.Grant.Encoded[2], grant.RemainingMicros);
            _json.WriteEndObject();
        }

        if (facts.Hint is { } hint)
        {
            _json.WriteStartObject(names[21]);
            _json.WriteString(Wire.Hint.Encoded[0], hint.Target);
            _json.WriteNumber(Wire.Hint.Encoded[1], hint.Epoch);
            _json.WriteEndObject();
        }

        if (facts.Successor is { } successor)
        {
            _json.WriteString(names[22], successor);
        }
    }

    private void WriteIdentity(JsonEncodedText name, Guid value)
    {
        Span<byte> digits = stackalloc byte[32];
        Utf8Formatter.TryFormat(value, digits, out _, 'N');
        _json.WriteString(name, digits);
    }
}
