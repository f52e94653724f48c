using System.Globalization;
using System.Net.Http.Headers;
using Ha.Http;

namespace Ha.Client.Routing;

/// <summary>The caller's request and the copies that its attempts send. Of the original only the history changes.</summary>
internal sealed class CallRequest
{
    private static readonly string[] _credentials = ["Authorization", "Proxy-Authorization", "Cookie"];

    private readonly HttpRequestMessage _original;
    private readonly bool _mayExpect;
    private readonly string? _newKey;

    public CallRequest(HttpRequestMessage original, LeaderRoutingOptions options, Proof proof)
    {
        _original = original;
        _mayExpect = proof != Proof.RuntimeExceptions;
        History = CallHistory.Of(original);
        IsWrite = WriteMethods.Contains(original.Method.Method);
        ToLeader = original.Options.TryGetValue(LeaderRouting.ToLeader, out var toLeader) ? toLeader : IsWrite;
        Body = History.Body(original.Content, IsWrite, options.MaxBufferedBodyBytes);
        string[] lines = original.Headers.NonValidated.TryGetValues(IdempotencyKey.Header, out var values) ? [.. values] : [];
        Key = IdempotencyKey.Of(lines);

        // A blank header names nothing and may be filled in. Another one that is no key is the caller's to answer for.
        if (IsWrite && options.AddIdempotencyKey && lines.All(string.IsNullOrWhiteSpace))
        {
            Key = _newKey = History.NewKey;
        }
    }

    /// <summary>By the method alone, as the nodes decide.</summary>
    public bool IsWrite { get; }

    public bool ToLeader { get; }

    /// <summary>Shared with the other passes of the same message.</summary>
    public CallHistory History { get; }

    public RequestBody Body { get; }

    /// <summary>The one usable <c>Idempotency-Key</c>, the caller's or a new one; else null.</summary>
    public string? Key { get; }

    /// <summary>Executed twice is as good as once.</summary>
    public bool MayRepeatUnknown => !IsWrite || Key is not null;

    /// <summary>May be given up in mid-air and sent again.</summary>
    public bool IsRepeatable => MayRepeatUnknown && !Body.SentOnce;

    public bool HasCredentials => _credentials.Any(_original.Headers.NonValidated.Contains);

    /// <summary>For messages; without the query, which may hold secrets.</summary>
    public string Name => $"{_original.Method} {_original.RequestUri!.AbsolutePath}";

    /// <summary>
    /// A fresh copy: an attempt that was given up may still be using the last one, and handlers below add their headers.
    /// Never disposed, since that would dispose the caller's content.
    /// </summary>
    public HttpRequestMessage CreateAttempt(Member member, ClusterMap map, AuthenticationHeaderValue? authorization)
    {
        var attempt = new HttpRequestMessage(_original.Method, MemberUrl.On(member.Url, _original.RequestUri!))
        {
            Version = _original.Version,
            VersionPolicy = _original.VersionPolicy,
            Content = Body.Next(),
        };
        foreach (var (name, values) in _original.Headers.NonValidated)
        {
            if (MaySend(name, member))
            {
                attempt.Headers.TryAddWithoutValidation(name, values);
            }
        }

        attempt.Headers.Host ??= member.Host;
        if (authorization is not null)
        {
            attempt.Headers.Authorization = authorization;
        }

        if (ToLeader && map.Epochs.Highest is > 0 and var seen && !attempt.Headers.NonValidated.Contains(HaHeaders.SeenEpoch))
        {
            attempt.Headers.TryAddWithoutValidation(HaHeaders.SeenEpoch, seen.ToString(CultureInfo.InvariantCulture));
        }

        if (!(IsWrite && ToLeader) && map.Position.Newest is { } position && !attempt.Headers.NonValidated.Contains(HaHeaders.Position))
        {
            attempt.Headers.TryAddWithoutValidation(HaHeaders.Position, position);
        }

        foreach (var (name, value) in _original.Options)
        {
            ((IDictionary<string, object?>)attempt.Options)[name] = value;
        }

        if (_newKey is not null)
        {
            attempt.Headers.TryAddWithoutValidation(IdempotencyKey.Header, _newKey);
        }

        if (!_mayExpect && IsWrite)
        {
            // This handler would send it again when the connection closes, and nobody can keep it from that.
            attempt.Headers.ExpectContinue = null;
        }
        else if (Body.Expects)
        {
            attempt.Headers.ExpectContinue = true;
        }

        return attempt;
    }

    /// <summary>A question to a node on this request's way: with its version of HTTP, and none of its headers.</summary>
    public HttpRequestMessage CreateQuestion(Member member, string path) =>
        new(HttpMethod.Get, new Uri(member.Url + path))
        {
            Version = _original.Version,
            VersionPolicy = _original.VersionPolicy,
            Headers = { Host = member.Host },
        };

    private bool MaySend(string header, Member member) =>
        (member.Trusted || !_credentials.Contains(header, StringComparer.OrdinalIgnoreCase)) &&
        (_newKey is null || !header.Equals(IdempotencyKey.Header, StringComparison.OrdinalIgnoreCase));
}
