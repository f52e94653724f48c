namespace Ha;

/// <summary>What a node that is not the leader does with a write.</summary>
public enum ForwardMode
{
    /// <summary>Answers 307 with the leader's URL (RFC 9110 section 15.4.8).</summary>
    Redirect,

    /// <summary>Streams the request to the leader and its answer back.</summary>
    Proxy,
}

/// <summary>How many members must agree on a leader.</summary>
public enum QuorumMode
{
    /// <summary>Majority with three or more members, off with two.</summary>
    Auto,

    /// <summary>More than half of all members, witnesses included.</summary>
    Majority,

    /// <summary>The lowest member that is alive leads. Not safe under a network partition.</summary>
    Off,
}

/// <summary>When leadership returns to a lower NodeID that has come back.</summary>
public enum Preemption
{
    /// <summary>By itself, once the lower node has been healthy for a while.</summary>
    Auto,

    /// <summary>Only by <c>POST /_ha/step-down</c>; the leader logs that a lower node is ready.</summary>
    Manual,

    /// <summary>Not at all.</summary>
    Never,
}

/// <summary>
/// Settings of this node, read from the <c>BASE_*</c> configuration keys and then changed by the delegate given to
/// <c>AddHa</c>. Read once at start and never changed by the plugin, which checks them all and names every problem in one
/// <see cref="Microsoft.Extensions.Options.OptionsValidationException"/>. With none of <see cref="StaticLeader"/>,
/// <see cref="LocalTarget"/>, <see cref="Peers"/> and <see cref="LeaseStore"/> set, and no <see cref="ILeaderProvider"/> of the
/// application's own, the plugin is off and nothing is checked. Not thread-safe.
/// </summary>
/// <remarks>
/// A URL is scheme (<c>http</c> or <c>https</c>), host and port, at most 512 characters; case, a default port and a
/// trailing slash make no difference. A file is read with at most 64 KiB. No duration is longer than an hour.
/// </remarks>
public sealed class HaOptions
{
    /// <value>
    /// Unique and the same after a restart; compared ordinally, lowest wins. 1 to 128 printable ASCII characters without
    /// spaces, commas, quotes and backslashes. Default: the host name. Key <c>BASE_NODE_ID</c>.
    /// </value>
    public string NodeId { get; set; } = System.Net.Dns.GetHostName();

    /// <value>
    /// This node's base URL as members reach it. Needed with <see cref="Peers"/> and
    /// <see cref="LeaseStore"/>. Default null. Key <c>BASE_LOCAL_TARGET</c>.
    /// </value>
    public string? LocalTarget { get; set; }

    /// <value>This node's base URL as clients reach it. Default: <see cref="LocalTarget"/>. Key <c>BASE_PUBLIC_TARGET</c>.</value>
    public string? PublicTarget { get; set; }

    /// <value>
    /// The members' base URLs, each once, up to 100 beside the own one, which may be among them. Default: none. Key
    /// <c>BASE_PEERS</c>, comma-separated.
    /// </value>
    public IList<string> Peers { get; } = [];

    /// <value>A fixed leader's base URL; wins over election. Default null: elected. Key <c>BASE_STATIC_LEADER</c>.</value>
    public string? StaticLeader { get; set; }

    /// <value>
    /// Elects through a store instead of peers: a scheme of <see cref="LeaseStores"/>, a colon, and what that store needs to
    /// know. Needs <see cref="LocalTarget"/>, rules out <see cref="Peers"/>. May hold a secret. Default null. Key
    /// <c>BASE_LEASE_STORE</c>.
    /// </value>
    public string? LeaseStore { get; set; }

    /// <value>
    /// By scheme, how a store is made: once, at the start, and disposed of at the end. Packages add theirs
    /// (<c>UsePostgreSql()</c>), an application its own. An <see cref="Microsoft.Extensions.Options.OptionsValidationException"/>
    /// stops the start in one message with all else that is wrong. It runs while the settings are read, so it cannot have an
    /// <see cref="ILeaderProvider"/>. Default: none.
    /// </value>
    public IDictionary<string, Func<LeaseStoreContext, ILeaseStore>> LeaseStores { get; } =
        new Dictionary<string, Func<LeaseStoreContext, ILeaseStore>>(StringComparer.OrdinalIgnoreCase);

    /// <value>
    /// Shared secrets, up to 16 of at least 16 bytes (UTF-8) each: the first signs, all verify. Default: none. Key
    /// <c>BASE_CLUSTER_SECRET</c>, comma-separated.
    /// </value>
    public IList<string> ClusterSecrets { get; } = [];

    /// <value>
    /// A file with the shared secrets, one per line or comma-separated, instead of <see cref="ClusterSecrets"/>; both are
    /// an error. Read again when it changes. Default null. Key <c>BASE_CLUSTER_SECRET_FILE</c>.
    /// </value>
    public string? ClusterSecretFile { get; set; }

    /// <value>
    /// This node's private Ed25519 key (RFC 8410): PEM of PKCS#8, or the base64 of its DER on one line. When set it signs,
    /// and <see cref="ClusterSecrets"/> are only accepted. Default null. Key <c>BASE_NODE_KEY</c>.
    /// </value>
    public string? NodeKey { get; set; }

    /// <value>
    /// A file with <see cref="NodeKey"/>, instead of it; both are an error. Read again when it changes. Default null. Key
    /// <c>BASE_NODE_KEY_FILE</c>.
    /// </value>
    public string? NodeKeyFile { get; set; }

    /// <value>
    /// The nodes' public Ed25519 keys as <c>id=publickey</c>, base64 of DER SubjectPublicKeyInfo, up to 256; a node signing
    /// with one is believed under that id only. An id may have several. Default: none. Key <c>BASE_PEER_KEYS</c>,
    /// comma-separated.
    /// </value>
    public IList<string> PeerKeys { get; } = [];

    /// <value>Allow unsigned heartbeats where there is no key. Default false. Key <c>BASE_INSECURE</c>.</value>
    public bool Insecure { get; set; }

    /// <value>
    /// A PEM file with the certificate authorities that <c>https</c> members are checked against, instead of those the
    /// machine trusts. Read again when it changes. Default null. Key <c>BASE_CA_FILE</c>.
    /// </value>
    public string? CaFile { get; set; }

    /// <value>
    /// A PEM file with the certificate that this node shows to <c>https</c> members, intermediates after it. Read again
    /// when it changes. Default null: none. Key <c>BASE_CLIENT_CERT_FILE</c>.
    /// </value>
    public string? ClientCertFile { get; set; }

    /// <value>
    /// The PEM file with the private key of <see cref="ClientCertFile"/>, not encrypted. Read again when it changes.
    /// Default null: it stands in that file too. Key <c>BASE_CLIENT_KEY_FILE</c>.
    /// </value>
    public string? ClientKeyFile { get; set; }

    /// <value>Time between heartbeats, 10 ms to 1 h. Default 500 ms. Key <c>BASE_HEARTBEAT_INTERVAL</c>.</value>
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <value>
    /// How long a lease lasts unrenewed, from 2 intervals to 1 h; the same on all nodes. Default null: 3 intervals. Key
    /// <c>BASE_LEASE_TIMEOUT</c>.
    /// </value>
    public TimeSpan? LeaseTimeout { get; set; }

    /// <value>How many members must agree on a leader. Default <see cref="QuorumMode.Auto"/>. Key <c>BASE_QUORUM</c>.</value>
    public QuorumMode Quorum { get; set; }

    /// <value>Whether a lower NodeID takes leadership back. Default <see cref="Preemption.Auto"/>. Key <c>BASE_PREEMPT</c>.</value>
    public Preemption Preempt { get; set; }

    /// <value>Votes, never leads; needs a majority to vote in. Default false. Key <c>BASE_WITNESS</c>.</value>
    public bool Witness { get; set; }

    /// <value>
    /// Heartbeats of other clusters are refused. Characters and length as of <see cref="NodeId"/>. Default
    /// <c>default</c>. Key <c>BASE_CLUSTER_ID</c>.
    /// </value>
    public string ClusterId { get; set; } = "default";

    /// <value>What a follower does with a write. Default <see cref="ForwardMode.Redirect"/>. Key <c>BASE_FORWARD_MODE</c>.</value>
    public ForwardMode ForwardMode { get; set; }

    /// <value>Honour a request's <c>X-Base-Forward</c> header. Default false. Key <c>BASE_FORWARD_OVERRIDE</c>.</value>
    public bool ForwardOverride { get; set; }

    /// <value>
    /// Beginnings of paths, whole segments, that are served where they arrive whatever the method, for what knows nothing of a
    /// leader: sign-in callbacks, webhooks that only enqueue. Metadata of an endpoint counts more, and of several prefixes that
    /// fit the longest.
    /// Written as in a URL. Default: none. Key <c>BASE_FORWARD_NEVER</c>, comma-separated.
    /// </value>
    public IList<string> ForwardNever { get; } = [];

    /// <value>
    /// As <see cref="ForwardNever"/>: what needs the leader whatever the method, but OPTIONS and TRACE. Default: none. Key
    /// <c>BASE_FORWARD_ALWAYS</c>, comma-separated.
    /// </value>
    public IList<string> ForwardAlways { get; } = [];

    /// <value>
    /// How long a write waits for a leader, 0 (never) to 1 h. Default null: <see cref="DrainTimeout"/> +
    /// <see cref="LeaseTimeout"/> + 1 s. Key <c>BASE_WRITE_HOLD</c>.
    /// </value>
    public TimeSpan? WriteHold { get; set; }

    /// <value>Writes held at once, 0 to 1,000,000. Default 1000. Key <c>BASE_WRITE_HOLD_MAX</c>.</value>
    public int WriteHoldMax { get; set; } = 1000;

    /// <value>How long a handoff waits for running writes, 0 to 1 h. Default 5 s. Key <c>BASE_DRAIN_TIMEOUT</c>.</value>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <value>
    /// How long a node that shuts down keeps serving after its handoff, 0 to 1 h; with <see cref="DrainTimeout"/> and
    /// <see cref="LeaseTimeout"/> at most the host's <c>ShutdownTimeout</c>. Default 0. Key <c>BASE_SHUTDOWN_DELAY</c>.
    /// </value>
    public TimeSpan ShutdownDelay { get; set; }

    /// <value>
    /// Bearer token of <c>POST /_ha/step-down</c>, <c>pause</c> and <c>resume</c>, at least 16 characters of printable ASCII without
    /// spaces. Default null: they answer 404. Key <c>BASE_ADMIN_TOKEN</c>.
    /// </value>
    public string? AdminToken { get; set; }

    /// <value>
    /// A file with <see cref="AdminToken"/>, instead of it; both are an error. Read again when it changes. Default null.
    /// Key <c>BASE_ADMIN_TOKEN_FILE</c>.
    /// </value>
    public string? AdminTokenFile { get; set; }

    /// <value>Show members and leader to anyone. Default true. Key <c>BASE_PUBLIC_INFO</c>.</value>
    public bool PublicInfo { get; set; } = true;

    /// <value>Serve the status page at <c>/_ha</c>. Default true. Key <c>BASE_STATUS_PAGE</c>.</value>
    public bool StatusPage { get; set; } = true;

    /// <value>
    /// Stores the given epoch behind the application's fence, unless a higher one is there, and returns the highest
    /// that was stored before. Called once for each epoch a node wins, before it admits the first write; repeated
    /// after each <see cref="HeartbeatInterval"/> while it fails. The token fires after 10 s: then another node,
    /// if there is one, is to try. Makes epochs rise even when wall clocks disagree. Default null: not called.
    /// </value>
    public Func<long, CancellationToken, ValueTask<long>>? RaiseFence { get; set; }

    /// <value>
    /// Runs once in each process, when the server listens and before this node stands for leadership, so that what the first write
    /// would have to wait for (code to compile, connections, caches) is there by then. Several add up (<c>+=</c>) and run one after the
    /// other, each with the services of a scope of its own. Another node may lead meanwhile, so it must write nothing that is shared.
    /// After 10 s for all of them together the token fires and the node stands without them; that, and a failure, is logged and no more.
    /// Not called where nobody is elected: without a cluster, with <see cref="StaticLeader"/>, without dependency injection.
    /// Default null: the node stands at once.
    /// </value>
    public Func<IServiceProvider, CancellationToken, Task>? WarmUp { get; set; }

    /// <value>
    /// For nodes that read replicas: makes what reads wait by until they see the writes before them. Called once, at the start, with the
    /// application's services, as the delegates of <see cref="LeaseStores"/>; disposed of at the end if it can be. Needs a key to sign
    /// with. <c>Ha.PostgreSql</c> has one ready (<c>UsePostgreSqlReplicas</c>). Default null: reads are served as they come, which is right
    /// where all nodes share one database.
    /// </value>
    public Func<IServiceProvider, ReadConsistency>? Consistency { get; set; }

    /// <value>
    /// The application's services, root scope, for delegates that run later such as <see cref="RaiseFence"/>: do not resolve
    /// while options are being configured. Null for options made by hand.
    /// </value>
    public IServiceProvider? ApplicationServices { get; internal set; }

    /// <summary>
    /// Ties leadership to the application's health: a node on which a health check with this tag is unhealthy, which includes that it
    /// throws or does not end, does not stand for leadership. If it leads it hands over to a node that stands; while there is none it
    /// goes on leading. A fixed leader stays. The checks run on every node; the first result of a process counts alone, and before it
    /// the node does not lead.
    /// </summary>
    /// <param name="healthCheckTag">At least one registered check must have it, and none of this plugin's own.</param>
    /// <param name="interval">From run to run, 10 ms to 1 h. Default 1 s.</param>
    /// <param name="timeout">For all checks of a run together, up to <paramref name="interval"/>. Default: as long.</param>
    /// <param name="failures">How many in a row, one more on the leader, until it does not stand; at least 1.</param>
    /// <param name="successes">How many in a row, one more on a node that does not lead, until it stands again; at least 1.</param>
    /// <returns>These options.</returns>
    /// <exception cref="ArgumentException">The tag is empty or a number is out of range.</exception>
    public HaOptions StandsWhile(
        string healthCheckTag, TimeSpan? interval = null, TimeSpan? timeout = null, int failures = 3, int successes = 2)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(healthCheckTag);
        var every = interval ?? TimeSpan.FromSeconds(1);
        var within = timeout ?? every;
        ArgumentOutOfRangeException.ThrowIfLessThan(every, TimeSpan.FromMilliseconds(10), nameof(interval));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(every, TimeSpan.FromHours(1), nameof(interval));
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(within, TimeSpan.Zero, nameof(timeout));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(within, every, nameof(timeout));
        ArgumentOutOfRangeException.ThrowIfLessThan(failures, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(successes, 1);
        Standing = new StandingRule(healthCheckTag, every, within, failures, successes);
        return this;
    }

    /// <summary>What <see cref="StandsWhile"/> said last; null: nothing.</summary>
    internal StandingRule? Standing { get; private set; }

    /// <summary>Values of the configuration that could not even be read, for the message that names every problem.</summary>
    internal List<string> Malformed { get; } = [];

    /// <summary>Every key of the configuration that begins like ours, known or not.</summary>
    internal List<string> KeysFound { get; } = [];
}
