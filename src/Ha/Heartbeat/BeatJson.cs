using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Unicode;
using Ha.Election;

namespace Ha.Heartbeat;

/// <summary>
/// The JSON of heartbeat messages, see docs/heartbeat.md. Reading is strict and total: whatever the bytes are, it
/// returns a message whose every value is in range, or false and a short reason that repeats nothing of the input.
/// </summary>
internal static class BeatJson
{
    public static byte[] Serialize(Beat beat) => BeatWriter.OfThread.Write(beat).ToArray();

    public static byte[] Serialize(BeatReply reply) => BeatWriter.OfThread.Write(reply).ToArray();

    public static bool TryParse(ReadOnlySpan<byte> utf8, [NotNullWhen(true)] out Beat? beat, out string reason)
    {
        beat = null;
        if (!IsPlausible(utf8, out reason))
        {
            return false;
        }

        var reader = new BeatReader(utf8);
        try
        {
            beat = reader.TryRead(out BeatDraft draft) ? draft.Build() : null;
            reason = reader.Reason;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            reason = NotJson;
        }

        return beat is not null;
    }

    public static bool TryParse(ReadOnlySpan<byte> utf8, [NotNullWhen(true)] out BeatReply? reply, out string reason)
    {
        reply = null;
        if (!IsPlausible(utf8, out reason))
        {
            return false;
        }

        var reader = new BeatReader(utf8);
        try
        {
            reply = reader.TryRead(out ReplyDraft draft) ? draft.Build() : null;
            reason = reader.Reason;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            reason = NotJson;
        }

        return reply is not null;
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
