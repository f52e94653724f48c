using System.Globalization;
using System.Text.Json;

namespace Ha.Client.Routing;

/// <summary>
/// Tells the nodes' own answers from the application's. Statuses alone do not: a bare 503 or 502 is the application's
/// word, and a 307 may be one of its own redirects.
/// </summary>
internal static class AnswerReader
{
    public const string LeaderHeader = "X-Base-Leader";
    public const string EpochHeader = "X-Base-Epoch";
    public const string NotExecutedHeader = "X-Base-Not-Executed";
    public const int MaxErrorBytes = 64 * 1024;

    /// <param name="response">The response; its body is buffered where it must be read, and can be read again.</param>
    /// <param name="sent">Where the request went.</param>
    /// <param name="clock">For a <c>Retry-After</c> that is a date.</param>
    /// <param name="cancellationToken">Ends the reading of the body.</param>
    public static async Task<Answer> ReadAsync(HttpResponseMessage response, Uri sent, TimeProvider clock, CancellationToken cancellationToken)
    {
        var status = (int)response.StatusCode;
        if (First(response, NotExecutedHeader) == "1")
        {
            return Refusal(response, $"{status} not executed", clock);
        }

        if (status is not (307 or 502 or 503))
        {
            return Application(response, clock);
        }

        if (status == 307)
        {
            return await ReadRedirectAsync(response, sent, clock, cancellationToken);
        }

        return (status, await ErrorAsync(response, cancellationToken)) switch
        {
            (503, ("no leader" or "not leader" or "leader unreachable") and var error) => Refusal(response, $"503 {error}", clock),
            (502, "outcome unknown") => new Answer(Meaning.OutcomeUnknown, "502 outcome unknown") { Response = response },
            _ => Application(response, clock),
        };
    }

    /// <summary>The epoch of the leader that a response names; 0 when it does not say, as under a static leader.</summary>
    public static long Epoch(HttpResponseMessage response) =>
        long.TryParse(First(response, EpochHeader), NumberStyles.None, CultureInfo.InvariantCulture, out var epoch) ? epoch : 0;

    public static string? First(HttpResponseMessage response, string header) =>
        response.Headers.NonValidated.TryGetValues(header, out var values) && values.Count == 1 ? values.ToString() : null;

    private static Answer Application(HttpResponseMessage response, TimeProvider clock) =>
        new(Meaning.Final, ((int)response.StatusCode).ToString(CultureInfo.InvariantCulture)) { Response = response, RetryAfter = Wait(response, clock) };

    private static Answer Refusal(HttpResponseMessage response, string word, TimeProvider clock) =>
        new(Meaning.Refused, word) { Response = response, RetryAfter = Wait(response, clock) };

    private static TimeSpan? Wait(HttpResponseMessage response, TimeProvider clock)
    {
        var wait = response.Headers.RetryAfter is not { } after ? null : after.Delta ?? (after.Date - clock.GetUtcNow());
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait;
    }

    // A node sends the client to the same path on the leader, byte for byte. Whatever else redirects is the application.
    private static async Task<Answer> ReadRedirectAsync(HttpResponseMessage response, Uri sent, TimeProvider clock, CancellationToken cancellationToken)
    {
        var location = First(response, "Location") ?? "";
        if (!Uri.TryCreate(location, UriKind.Absolute, out var uri) || MemberUrl.RawPathAndQuery(location) != sent.PathAndQuery ||
            MemberUrl.Of(uri) is not { Length: > 0 } target)
        {
            return Application(response, clock);
        }

        var saysSo = await ErrorAsync(response, cancellationToken) == "not leader";
        if (target == MemberUrl.Of(sent))
        {
            // One address for several nodes: behind it stands another one each time.
            return saysSo ? Refusal(response, "307 to itself", clock) : Application(response, clock);
        }

        var named = saysSo || (MemberUrl.TryParse(First(response, LeaderHeader), out var leader) && leader == target);
        return new Answer(Meaning.Redirected, $"307 to {target}") { Response = response, Target = target, Epoch = Epoch(response), NamedByNode = named };
    }

    private static async Task<string?> ErrorAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var content = response.Content;
        var mayBeOurs = content.Headers.ContentType?.MediaType is { } type && (type is "application/problem+json" ||
            (type is "application/json" && content.Headers.ContentLength is not null));
        if (!mayBeOurs || content.Headers.ContentLength is 0 or > MaxErrorBytes)
        {
            return null;
        }

        await content.LoadIntoBufferAsync(MaxErrorBytes, cancellationToken);
        return Text(await content.ReadAsByteArrayAsync(cancellationToken), "error");
    }

    /// <summary>A string member of a JSON object; null when there is no such thing.</summary>
    public static string? Text(ReadOnlyMemory<byte> json, string name)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty(name, out var value) &&
                value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
