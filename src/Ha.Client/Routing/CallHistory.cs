using System.Net;

namespace Ha.Client.Routing;

/// <summary>
/// What all passes of one message through the routing share. A handler around it (a retry, a hedge) sends the same
/// message again, or a copy with the same options: the generated key, what may have been executed and how far the body
/// was read belong to the caller's message, not to one pass. Thread-safe: hedged passes overlap.
/// </summary>
internal sealed class CallHistory
{
    private static readonly HttpRequestOptionsKey<CallHistory> _option = new("Ha.Client.History");

    private readonly Lock _lock = new();
    private RequestBody? _body;
    private string? _newKey;
    private string? _sentKey;
    private int _underWay;
    private bool _outcomeUnknown;
    private bool _answered;
    private int _serverError;

    /// <summary>The base URL that the caller gave, before any handler of the app put another one in its place.</summary>
    public string? Origin { get; private init; }

    /// <summary>
    /// True: some copy of the write, this pass's current one aside, may have been executed: its outcome is unknown, it is
    /// under way, or the application has answered it.
    /// </summary>
    public bool MayHaveRun
    {
        get
        {
            lock (_lock)
            {
                return _answered || IsInDoubtNeedsLock;
            }
        }
    }

    /// <summary>The same, less what the application has answered.</summary>
    public bool IsInDoubt
    {
        get
        {
            lock (_lock)
            {
                return IsInDoubtNeedsLock;
            }
        }
    }

    /// <summary>How the last pass failed.</summary>
    public Exception? Failure { get; set; }

    /// <summary>A structured-field string (RFC 9651 section 3.3.3), as the draft on the header asks for; the same at each call.</summary>
    public string NewKey
    {
        get
        {
            lock (_lock)
            {
                return _newKey ??= $"\"{Guid.NewGuid():N}\"";
            }
        }
    }

    private bool IsInDoubtNeedsLock => _outcomeUnknown || _underWay > 1;

    /// <summary>The history of a message; an empty one on its first pass.</summary>
    public static CallHistory Of(HttpRequestMessage message)
    {
        if (!message.Options.TryGetValue(_option, out var history))
        {
            message.Options.Set(_option, history = new CallHistory { Origin = message.RequestUri is { } uri ? MemberUrl.NameOf(uri) : null });
        }

        return history;
    }

    /// <summary>The body, with what is known of it, unless a handler has put another one in its place.</summary>
    public RequestBody Body(HttpContent? content, bool isWrite, int limit)
    {
        lock (_lock)
        {
            return _body is not null && _body.IsOf(content) ? _body : _body = new RequestBody(content, isWrite, limit);
        }
    }

    /// <summary>
    /// Begins a pass of a write; <see cref="Leave"/> ends it. Only the key tells the server that two copies are one
    /// write, so behind a copy that may have been executed, or is under way, nothing goes out without the same key. A server
    /// error says nothing of what was done before it.
    /// </summary>
    /// <param name="key">The usable key that this pass sends, or null.</param>
    /// <returns>Null, or why this pass must not send anything.</returns>
    public string? Enter(string? key)
    {
        lock (_lock)
        {
            if ((_outcomeUnknown || _underWay > 0 || _serverError > 0) && (key is null || key != _sentKey))
            {
                return (_outcomeUnknown ? "an earlier pass of the same message may have been executed"
                    : _underWay > 0 ? "another pass of the same message is under way"
                    : $"an earlier pass of the same message was answered with {_serverError}") +
                    (key is null ? " and it has no usable Idempotency-Key" : " under another Idempotency-Key");
            }

            (_sentKey, _underWay) = (key, _underWay + 1);
            return null;
        }
    }

    public void Leave()
    {
        lock (_lock)
        {
            _underWay--;
        }
    }

    /// <summary>The application had its word, which a handler around the routing may dislike.</summary>
    public void BecomeAnswered(HttpStatusCode status)
    {
        lock (_lock)
        {
            _answered = true;
            _serverError = Math.Max(_serverError, (int)status >= 500 ? (int)status : 0);
        }
    }

    /// <summary>A copy of the write may have been executed. Holds for good: no later answer takes it back.</summary>
    public void BecomeUnknown()
    {
        lock (_lock)
        {
            _outcomeUnknown = true;
        }
    }
}
