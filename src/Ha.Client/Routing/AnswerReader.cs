using System.Globalization;
using System.Text.Json;
using Ha.Http;

namespace Ha.Client.Routing;

/// <summary>
/// Tells the nodes' own answers from the application's, and both from those of a gateway before them. Statuses alone do not: a
/// bare 502 or 503 may be the application's word, and a 307 one of its own redirects.
/// </summary>
internal static class AnswerReader
{
    /// <param name="response">The response; its body is buffered where it must be read, and can be read again.</param>
    /// <param name="sent">Where the request went.</param>
    /// <param name="unseenWrite">
    /// A write to nodes that show themselves: who answers 502, 503 or 504 and does not is a gateway, which knows nothing of what its
    /// node has done.
    /// </param>
    /// <param name="clock">For a <c>Retry-After</c> that is a date.</param>
    /// <param name="cancellationToken">Ends the reading of the body.</param>
    public static async Task<Answer> ReadAsync(
        HttpResponseMessage response, Uri sent, bool unseenWrite, TimeProvider clock, CancellationToken cancellationToken)
    {
        var status = (int)response.StatusCode;
        if (First(response, HaHeaders.NotExecuted) == "1")
        {
            return Refusal(response, $"{status} not executed", clock);
        }

        if (status == 307)
        {
            return await ReadRedirectAsync(response, sent, clock, cancellationToken).ConfigureAwait(false);
        }

        var error = status switch
        {
            200 => GrpcError(response),
            502 or 503 => await ErrorAsync(response, "application/problem+json", cancellationToken).ConfigureAwait(false),
            _ => null,
        };
        return (status, error) switch
        {
            // Behind a node that shows itself, who does not mark a refusal is the application: the node always does, and lets
            // nobody else. Where BASE_PUBLIC_INFO is off the words are all there is; whoever uses them says the same by them.
            (not 502, "no leader" or "not leader" or "leader unreachable" or "not executed") when !ShowsItself(response) =>
                Refusal(response, $"{status} {error}", clock),
            (not 503, "outcome unknown") => new Answer(Meaning.OutcomeUnknown, $"{status} {error}") { Response = response },
            (502 or 503 or 504, _) when unseenWrite && !ShowsItself(response) =>
                new Answer(Meaning.OutcomeUnknown, $"{status} of a gateway") { Response = response },
            _ => Application(response, clock),
        };
    }

    /// <summary>The epoch of the leader that a response names; 0 when it does not say, as under a static leader.</summary>
    public static long Epoch(HttpResponseMessage response) =>
        long.TryParse(First(response, HaHeaders.Epoch), NumberStyles.None, CultureInfo.InvariantCulture, out var epoch) ? epoch : 0;

    /// <summary>The same; null when the node knows of no leader, and 0 for one that has no epoch.</summary>
    public static long? NamedEpoch(HttpResponseMessage response) =>
        Epoch(response) is var epoch && (epoch > 0 || First(response, HaHeaders.Leader) is not null) ? epoch : null;

    /// <summary>A node shows that it answers itself, unless <c>BASE_PUBLIC_INFO</c> is off.</summary>
    public static bool ShowsItself(HttpResponseMessage response) => response.Headers.NonValidated.Contains(HaHeaders.Node);

    public static string? First(HttpResponseMessage response, string header) =>
        response.Headers.NonValidated.TryGetValues(header, out var values) && values.Count == 1 ? values.ToString() : null;

    private static Answer Application(HttpResponseMessage response, TimeProvider clock) =>
        new(Meaning.Final, ((int)response.StatusCode).ToString(CultureInfo.InvariantCulture)) { Response = response, RetryAfter = Wait(response, clock) };

    private static Answer Refusal(HttpResponseMessage response, string word, TimeProvider clock) =>
        new(Meaning.Refused, word) { Response = response, RetryAfter = Wait(response, clock) };

    // A date counts from the server's clock: the client's may be wrong by hours.
    private static TimeSpan? Wait(HttpResponseMessage response, TimeProvider clock)
    {
        var wait = response.Headers.RetryAfter is not { } after ? null
            : after.Delta ?? (after.Date - (response.Headers.Date ?? clock.GetUtcNow()));
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

        var saysSo = await ErrorAsync(response, "application/json", cancellationToken).ConfigureAwait(false) == "not leader" ||
            await ErrorAsync(response, "application/problem+json", cancellationToken).ConfigureAwait(false) == "not leader";
        if (target == MemberUrl.Of(sent))
        {
            // One address for several nodes: behind it stands another one each time.
            return saysSo ? Refusal(response, "307 to itself", clock) : Application(response, clock);
        }

        var named = saysSo || (MemberUrl.TryParse(First(response, HaHeaders.Leader), out var leader) && leader == target);
        return new Answer(Meaning.Redirected, $"307 to {target}") { Response = response, Target = target, Epoch = Epoch(response), NamedByNode = named };
    }

    // A gRPC call gets its refusal as a status without a message (trailers-only): UNAVAILABLE, or UNKNOWN.
    private static string? GrpcError(HttpResponseMessage response) =>
        response.Content.Headers.ContentType?.MediaType is { } type && type.StartsWith("application/grpc", StringComparison.Ordinal)
            ? (First(response, "grpc-status"), First(response, "grpc-message")) switch
            {
                ("14", not "outcome unknown" and var error) => error,
                ("2", "outcome unknown") => "outcome unknown",
                _ => null,
            }
            : null;

    private static async Task<string?> ErrorAsync(HttpResponseMessage response, string type, CancellationToken cancellationToken)
    {
        var content = response.Content;
        if (content.Headers.ContentType?.MediaType != type || content.Headers.ContentLength is 0 ||
            (type is "application/json" && content.Headers.ContentLength is null))
        {
            return null;
        }

        return await AnswerBody.ReadAsync(response, CancellationToken.None, cancellationToken).ConfigureAwait(false) is { } body ? Text(body, "error") : null;
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
