namespace Ha.Client.Routing;

/// <summary>The caller's request and the copies that its attempts send. The original is left as it is.</summary>
internal sealed class CallRequest
{
    private const string IdempotencyKeyHeader = "Idempotency-Key";
    private static readonly string[] _safeMethods = ["GET", "HEAD", "OPTIONS", "TRACE", "QUERY", "CONNECT"];
    private static readonly string[] _credentials = ["Authorization", "Proxy-Authorization", "Cookie"];

    private readonly HttpRequestMessage _original;
    private readonly string? _newKey;

    public CallRequest(HttpRequestMessage original, LeaderRoutingOptions options)
    {
        _original = original;
        IsWrite = !_safeMethods.Contains(original.Method.Method, StringComparer.OrdinalIgnoreCase);
        ToLeader = original.Options.TryGetValue(LeaderRouting.ToLeader, out var toLeader) ? toLeader : IsWrite;
        Body = new RequestBody(original.Content, IsWrite, options.MaxBufferedBodyBytes);
        var hasKey = original.Headers.NonValidated.Contains(IdempotencyKeyHeader);
        if (IsWrite && !hasKey && options.AddIdempotencyKey)
        {
            // A structured-field string (RFC 9651 section 3.3.3), as the draft on the header asks for.
            _newKey = $"\"{Guid.NewGuid():N}\"";
        }

        MayRepeatUnknown = !IsWrite || hasKey || _newKey is not null;
    }

    /// <summary>By the method alone, as the nodes decide.</summary>
    public bool IsWrite { get; }

    public bool ToLeader { get; }

    public RequestBody Body { get; }

    /// <summary>Executed twice is as good as once.</summary>
    public bool MayRepeatUnknown { get; }

    /// <summary>May be given up in mid-air and sent again.</summary>
    public bool IsRepeatable => MayRepeatUnknown && !Body.SentOnce;

    public bool HasCredentials => _credentials.Any(_original.Headers.NonValidated.Contains);

    /// <summary>For messages; without the query, which may hold secrets.</summary>
    public string Name => $"{_original.Method} {_original.RequestUri!.AbsolutePath}";

    /// <summary>
    /// A fresh copy: an attempt that was given up may still be using the last one, and handlers below add their headers.
    /// Never disposed, since that would dispose the caller's content.
    /// </summary>
    public HttpRequestMessage CreateAttempt(Member member)
    {
        var attempt = new HttpRequestMessage(_original.Method, MemberUrl.On(member.Url, _original.RequestUri!))
        {
            Version = _original.Version,
            VersionPolicy = _original.VersionPolicy,
            Content = Body.Next(),
        };
        foreach (var (name, values) in _original.Headers.NonValidated)
        {
            if (member.Trusted || !_credentials.Contains(name, StringComparer.OrdinalIgnoreCase))
            {
                attempt.Headers.TryAddWithoutValidation(name, values);
            }
        }

        foreach (var (name, value) in _original.Options)
        {
            ((IDictionary<string, object?>)attempt.Options)[name] = value;
        }

        if (_newKey is not null)
        {
            attempt.Headers.TryAddWithoutValidation(IdempotencyKeyHeader, _newKey);
        }

        if (Body.Expects)
        {
            attempt.Headers.ExpectContinue = true;
        }

        return attempt;
    }
}
