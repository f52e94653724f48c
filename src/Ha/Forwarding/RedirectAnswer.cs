using System.Buffers;
using System.Text.Json;
using Ha.Http;
using Microsoft.AspNetCore.Http;

namespace Ha.Forwarding;

/// <summary>307 to the leader (RFC 9110 section 15.4.8: method and body are kept).</summary>
internal static class RedirectAnswer
{
    // The same for every request while a leader stays.
    private static Written? _last;

    /// <summary>Writes the answer; the response must not have started.</summary>
    /// <param name="context">The request to answer.</param>
    /// <param name="leaderUrl">The leader's URL as clients reach it, normalised; never anything that the request says.</param>
    /// <param name="epoch">The leader's epoch.</param>
    /// <remarks>
    /// The body of the request is not read. A client that sent <c>Expect: 100-continue</c> keeps it and uploads once,
    /// to the leader. From any other, Kestrel reads on for some seconds to keep the connection, then closes it; a
    /// client in the middle of a large upload may then see a closed connection before it sees this answer.
    /// </remarks>
    public static Task WriteAsync(HttpContext context, string leaderUrl, long epoch)
    {
        var response = context.Response;
        response.Clear();
        response.StatusCode = StatusCodes.Status307TemporaryRedirect;
        response.Headers.Location = leaderUrl + RawTarget.PathAndQuery(context);
        response.Headers.CacheControl = "no-store";
        response.ContentType = "application/json";
        var body = BodyFor(leaderUrl, epoch);
        response.ContentLength = body.Length;
        return response.Body.WriteAsync(body, CancellationToken.None).AsTask();
    }

    private static byte[] BodyFor(string leaderUrl, long epoch)
    {
        var last = Volatile.Read(ref _last);
        if (last is null || last.Epoch != epoch || !string.Equals(last.LeaderUrl, leaderUrl, StringComparison.Ordinal))
        {
            last = new Written(leaderUrl, epoch, Write(leaderUrl, epoch));
            Volatile.Write(ref _last, last);
        }

        return last.Body;
    }

    private static byte[] Write(string leaderUrl, long epoch)
    {
        var buffer = new ArrayBufferWriter<byte>(128);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("error"u8, "not leader"u8);
            json.WriteString("leader"u8, leaderUrl);
            json.WriteNumber("epoch"u8, epoch);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private sealed record Written(string LeaderUrl, long Epoch, byte[] Body);
}
