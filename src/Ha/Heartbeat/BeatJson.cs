using System.Text.Json;
using System.Text.Unicode;
using Ha.Election;

namespace Ha.Heartbeat;

/// <summary>
/// The JSON of heartbeat messages, see docs/heartbeat.md. Reading is strict and total: whatever the bytes are, it
/// returns a message whose every value is in range, or false and a short reason that repeats nothing of the input.
/// The spelling that <see cref="BeatWriter"/> produces is read straight on, any other by a JSON parser.
/// </summary>
internal static class BeatJson
{
    public static byte[] Serialize(in Beat beat) => BeatWriter.OfThread.Write(beat).ToArray();

    public static byte[] Serialize(in BeatReply reply) => BeatWriter.OfThread.Write(reply).ToArray();

    public static bool TryParse(ReadOnlySpan<byte> utf8, out Beat beat, out string reason)
    {
        reason = "";
        var read = new CanonicalReader(utf8).TryRead(out BeatDraft draft) || TryReadAny(utf8, out draft, out reason);
        beat = read ? draft.Build() : default;
        return read;
    }

    public static bool TryParse(ReadOnlySpan<byte> utf8, out BeatReply reply, out string reason)
    {
        reason = "";
        var read = new CanonicalReader(utf8).TryRead(out ReplyDraft draft) || TryReadAny(utf8, out draft, out reason);
        reply = read ? draft.Build() : default;
        return read;
    }

    /// <summary>Takes any spelling that JSON allows.</summary>
    internal static bool TryReadAny(ReadOnlySpan<byte> utf8, out BeatDraft draft, out string reason) =>
        TryReadAny(utf8, static (ref BeatReader reader, out BeatDraft draft) => reader.TryRead(out draft), out draft, out reason);

    /// <summary>Takes any spelling that JSON allows.</summary>
    internal static bool TryReadAny(ReadOnlySpan<byte> utf8, out ReplyDraft draft, out string reason) =>
        TryReadAny(utf8, static (ref BeatReader reader, out ReplyDraft draft) => reader.TryRead(out draft), out draft, out reason);

    private delegate bool Read<T>(ref BeatReader reader, out T draft);

    private static bool TryReadAny<T>(ReadOnlySpan<byte> utf8, Read<T> read, out T draft, out string reason)
        where T : struct
    {
        draft = default;
        if (!IsPlausible(utf8, out reason))
        {
            return false;
        }

        var reader = new BeatReader(utf8);
        try
        {
            var whole = read(ref reader, out draft);
            reason = reader.Reason;
            return whole;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            reason = NotJson;
            return false;
        }
    }

    // InvalidOperationException: the inner reader's word for an escape that is half a surrogate pair.
    private const string NotJson = "not valid JSON, or nested too deeply";

    private static bool IsPlausible(ReadOnlySpan<byte> utf8, out string reason)
    {
        // Checked here for the whole text: the inner reader does not look into strings that it skips.
        reason = utf8.Length > BeatLimits.MaxBodyBytes ? "longer than 16 KiB"
            : utf8.IsEmpty ? "empty"
            : Utf8.IsValid(utf8) ? ""
            : "not valid UTF-8";
        return reason.Length == 0;
    }
}
