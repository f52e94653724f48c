using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Ha.EntityFrameworkCore.Idempotency;

/// <summary>An answer that is stored beside the write it belongs to, and given again.</summary>
/// <param name="Status">The HTTP status code.</param>
/// <param name="Headers">JSON: an array of values by name.</param>
/// <param name="Body">The content as it went out.</param>
internal sealed record KeptAnswer(int Status, string Headers, byte[] Body)
{
    public const string ReplayedHeader = "Idempotent-Replayed";

    // About this one message, this one connection, or secret.
    private static readonly HashSet<string> _notKept = new(StringComparer.OrdinalIgnoreCase)
    {
        HeaderNames.Connection, HeaderNames.KeepAlive, HeaderNames.TransferEncoding, HeaderNames.ContentLength, HeaderNames.Upgrade,
        HeaderNames.Trailer, HeaderNames.Date, HeaderNames.Server, HeaderNames.SetCookie, HeaderNames.ProxyAuthenticate, HeaderNames.AltSvc,
    };

    /// <summary>What to remember of a response so that <see cref="Of"/> can tell what was added to it.</summary>
    public static Dictionary<string, StringValues> Before(HttpResponse response) =>
        new(response.Headers, StringComparer.OrdinalIgnoreCase);

    public static KeptAnswer Of(HttpResponse response, Dictionary<string, StringValues> before, byte[] body)
    {
        var headers = new Dictionary<string, string?[]>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, values) in response.Headers)
        {
            var isNew = !(before.TryGetValue(name, out var earlier) && earlier == values);
            if (isNew && !_notKept.Contains(name) && !name.StartsWith("X-Base-", StringComparison.OrdinalIgnoreCase))
            {
                headers[name] = [.. values];
            }
        }

        return new KeptAnswer(response.StatusCode, JsonSerializer.Serialize(headers, KeptAnswerJson.Default.DictionaryStringStringArray), body);
    }

    /// <summary>Gives it once more.</summary>
    public Task ReplayAsync(HttpContext http)
    {
        var response = http.Response;
        response.StatusCode = Status;
        foreach (var (name, values) in JsonSerializer.Deserialize(Headers, KeptAnswerJson.Default.DictionaryStringStringArray)!)
        {
            response.Headers[name] = values;
        }

        response.Headers[ReplayedHeader] = "true";
        return SendBodyAsync(response, Body);
    }

    /// <summary>Sends a body after status and headers have been set.</summary>
    public static Task SendBodyAsync(HttpResponse response, ReadOnlyMemory<byte> body)
    {
        if (body.IsEmpty)
        {
            return Task.CompletedTask;
        }

        response.ContentLength = body.Length;

        // Not under RequestAborted: that may be a time limit which the application has set, and the client is waiting.
        return response.Body.WriteAsync(body, CancellationToken.None).AsTask();
    }
}

/// <summary>The headers of a <see cref="KeptAnswer"/>.</summary>
[JsonSerializable(typeof(Dictionary<string, string?[]>))]
internal sealed partial class KeptAnswerJson : JsonSerializerContext;
