using System.Net.Http.Headers;

namespace Ha.Client;

/// <summary>
/// Settings of one client, given to <c>AddLeaderRouting</c> or <see cref="LeaderRoutingHandler"/>. Validated when the client is
/// created for the first time, and not to be changed afterwards.
/// </summary>
public sealed class LeaderRoutingOptions
{
    private TimeSpan? _attemptTimeout;
    private TimeSpan? _connectTimeout;

    /// <value>
    /// Base URLs of the cluster's nodes as this client reaches them, without a path, all http or all https; 1 to 64.
    /// Best the nodes' public targets: only these get credentials, see <see cref="TrustReportedLeaders"/>. A name with several
    /// addresses stands for a node at each. With <see cref="ResolveNodes"/>: names that it understands. No default.
    /// </value>
    public IReadOnlyList<string> Nodes { get; set; } = [];

    /// <value>
    /// Finds the base URLs behind each of <see cref="Nodes"/>, such as <c>https+http://orders</c>, through service discovery. Called off
    /// the way of requests: first, at least every 30 s while there are any, and at most once a second when a node fails; the
    /// last good answer holds while it fails, gives none, or takes longer than 5 s. https is preferred where it gives both. Must be
    /// thread-safe. Default null: <see cref="Nodes"/> are the base URLs.
    /// </value>
    public Func<Uri, CancellationToken, ValueTask<IReadOnlyList<Uri>>>? ResolveNodes { get; set; }

    /// <value>
    /// Gives the <c>Authorization</c> of each attempt, in place of the message's own; null leaves that. Called with the node's base
    /// URL before anything is sent, and for nodes that may see credentials only; when it fails, the call ends with its error. Must be
    /// thread-safe, and cache what is expensive. Default null.
    /// </value>
    public Func<Uri, CancellationToken, ValueTask<AuthenticationHeaderValue?>>? GetAuthorization { get; set; }

    /// <value>
    /// How long one call may take until its answer is given back, all attempts and waits included. Default 30 s, range 10 ms to
    /// 1 day, and not shorter than an <see cref="AttemptTimeout"/> that is set. Keep it below <c>HttpClient.Timeout</c> (100 s), or that one ends
    /// the call first and says less.
    /// </value>
    public TimeSpan Deadline { get; set; } = TimeSpan.FromSeconds(30);

    /// <value>
    /// After what time without response headers an attempt that may be repeated (a read, or a write with an
    /// <c>Idempotency-Key</c>, whose body is kept) is given up and tried elsewhere. Other attempts run to the
    /// <see cref="Deadline"/>. Default 10 s, or the <see cref="Deadline"/> if that is shorter; range <see cref="ConnectTimeout"/> to
    /// <see cref="Deadline"/>. Best longer than the nodes' <c>BASE_WRITE_HOLD</c> (7.5 s by default).
    /// </value>
    public TimeSpan AttemptTimeout
    {
        get => _attemptTimeout ?? Shorter(TimeSpan.FromSeconds(10), Deadline);
        set => _attemptTimeout = value;
    }

    /// <value>
    /// How long connecting to a node may take, TLS included. Applies to the primary handler that this package makes;
    /// a handler of your own brings its own. Default 2 s, or the <see cref="AttemptTimeout"/> if that is shorter; range 10 ms to
    /// 1 minute.
    /// </value>
    public TimeSpan ConnectTimeout
    {
        get => _connectTimeout ?? Shorter(TimeSpan.FromSeconds(2), AttemptTimeout);
        set => _connectTimeout = value;
    }

    /// <value>
    /// Bodies up to this many bytes are kept in memory to be sent again. A larger one, or one of unknown length, goes
    /// out with <c>Expect: 100-continue</c>, so that it stays unread when a node refuses. JSON is kept at any size, unless it is a
    /// sequence without a count. Default 65536, range 0 to 64 MiB.
    /// </value>
    public int MaxBufferedBodyBytes { get; set; } = 64 * 1024;

    /// <value>
    /// Adds an <c>Idempotency-Key</c> to each write that has none, the same for all its attempts. Set it when the
    /// server honours the key: such a write is sent again also when nobody knows whether it was executed. Default false.
    /// </value>
    public bool AddIdempotencyKey { get; set; }

    /// <value>
    /// Treats a leader's public target like a configured node once a configured node has named it: it then gets
    /// credentials and is remembered. Without it, such a target is reached by redirect only and without credentials.
    /// Never from https to http. Default false.
    /// </value>
    public bool TrustReportedLeaders { get; set; }

    private static TimeSpan Shorter(TimeSpan one, TimeSpan other) => one < other ? one : other;
}
