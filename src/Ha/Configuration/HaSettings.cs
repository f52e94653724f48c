using Ha.Http;
using Ha.Security;

namespace Ha.Configuration;

/// <summary>
/// What this node runs with: <see cref="HaOptions"/> checked, with every default filled in, URLs in their normal form and
/// all files loaded. Immutable and thread-safe.
/// </summary>
internal sealed record HaSettings
{
    /// <summary>False: the plugin is off, and only <see cref="NodeId"/> and <see cref="KeysWithoutEffect"/> say anything.</summary>
    public required bool IsActive { get; init; }

    public required string NodeId { get; init; }

    public required string ClusterId { get; init; }

    /// <summary>Null only where there is no election.</summary>
    public required string? LocalTarget { get; init; }

    /// <summary><see cref="LocalTarget"/> where clients have no URL of their own.</summary>
    public required string? PublicTarget { get; init; }

    /// <summary>The other members; this node is not among them.</summary>
    public required IReadOnlyList<string> Peers { get; init; }

    /// <summary>True when any member was named, if only this node: whoever says so knows that it is alone.</summary>
    public required bool PeersWereNamed { get; init; }

    /// <summary>True also where a fixed leader wins over the store.</summary>
    public required bool LeaseStoreWasNamed { get; init; }

    /// <summary>Null: the leader is elected.</summary>
    public required string? StaticLeader { get; init; }

    /// <summary>Gives the store that elects instead of members; null: there is none.</summary>
    public required Func<IServiceProvider, ILeaseStore>? LeaseStore { get; init; }

    /// <summary>True when the application says itself who leads.</summary>
    public required bool OwnProvider { get; init; }

    /// <summary>True when members elect, and so send heartbeats.</summary>
    public required bool Elects { get; init; }

    /// <summary>True when a leader needs the votes of most members.</summary>
    public required bool UsesMajority { get; init; }

    public required Preemption Preempt { get; init; }

    public required bool Witness { get; init; }

    public required TimeSpan HeartbeatInterval { get; init; }

    public required TimeSpan LeaseTimeout { get; init; }

    public required TimeSpan DrainTimeout { get; init; }

    public required TimeSpan ShutdownDelay { get; init; }

    public required ForwardMode ForwardMode { get; init; }

    public required bool ForwardOverride { get; init; }

    public required PathPrefixes Prefixes { get; init; }

    public required TimeSpan WriteHold { get; init; }

    public required int WriteHoldMax { get; init; }

    public required bool PublicInfo { get; init; }

    public required bool StatusPage { get; init; }

    /// <summary>True when unsigned heartbeats are allowed; whether there are any is up to <see cref="KeyRing.Unsigned"/>.</summary>
    public required bool Insecure { get; init; }

    public required FileBacked<KeyRing> Keys { get; init; }

    public required FileBacked<TlsMaterial> Tls { get; init; }

    /// <summary>Null: nobody is an administrator.</summary>
    public required FileBacked<HashedToken>? AdminToken { get; init; }

    public required Func<long, CancellationToken, ValueTask<long>>? RaiseFence { get; init; }

    public required Func<IServiceProvider, CancellationToken, Task>? WarmUp { get; init; }

    /// <summary>Gives what reads wait by; null: they wait for nothing.</summary>
    public required Func<IServiceProvider, ReadConsistency>? Consistency { get; init; }

    /// <summary>Null: health makes no difference.</summary>
    public required StandingRule? Standing { get; init; }

    /// <summary>Keys of the configuration that look like ours and change nothing: not ours, or ours while the plugin is off.</summary>
    public required IReadOnlyList<string> KeysWithoutEffect { get; init; }

    /// <summary>Reads <paramref name="options"/> and changes nothing in them.</summary>
    /// <param name="options">As a person set them.</param>
    /// <param name="shutdownTimeout">The host's, into which a handoff must fit; null: there is no host.</param>
    /// <param name="read">Reads one file; default: from the disk.</param>
    /// <param name="ownProvider">The application brought an <see cref="ILeaderProvider"/>.</param>
    /// <param name="services">For the delegates that make the store and what reads wait by, which run now; null: they run later.</param>
    /// <exception cref="InvalidHaOptionsException">
    /// Something is wrong; it names every problem, because a person fixes settings in one go.
    /// </exception>
    public static HaSettings Parse(
        HaOptions options,
        TimeSpan? shutdownTimeout = null,
        Func<string, SecretText>? read = null,
        bool ownProvider = false,
        IServiceProvider? services = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options is { StaticLeader: null, LocalTarget: null, LeaseStore: null, Peers.Count: 0 } && !ownProvider)
        {
            return Off(options);
        }

        read ??= SecretText.Read;
        List<string> problems =
        [
            .. KeyNames.Mistyped(options.KeysFound), .. KeyNames.Removed(options.KeysFound), .. options.Malformed,
        ];
        TimingRules.Check(options, problems);
        ChoiceRules.Check(options, problems);
        NameRules.Check(options, problems);
        var members = MemberRules.Parse(options, problems);
        var store = LeaseStoreRules.Parse(options, members, problems);
        var keys = KeyRules.Load(options, members, read, problems);
        ConsistencyRules.Check(options, keys, problems);
        var adminToken = AdminTokenRules.Load(options, read, problems);
        var tls = TlsRules.Load(options, members, read, problems);
        var prefixes = PathPrefixRules.Parse(options, problems);
        TimingRules.CheckShutdown(options, shutdownTimeout, problems);
        var delegates = new DelegateRuns(services, problems);
        store = ownProvider ? null : delegates.Run(store);
        var consistency = delegates.Run(options.Consistency);
        if (problems.Count > 0)
        {
            delegates.DisposeMade();
            throw new InvalidHaOptionsException(problems);
        }

        return Create(options, members, keys!, tls!, adminToken) with
        {
            IsActive = true,
            OwnProvider = ownProvider,
            LeaseStore = store,
            Consistency = consistency,
            Prefixes = prefixes,
            KeysWithoutEffect = [.. options.KeysFound.Where(key => !KeyNames.IsMeantForUs(key))],
        };
    }

    /// <summary>Nothing is checked: whatever else has a variable that looks like ours must not keep it from starting.</summary>
    private static HaSettings Off(HaOptions options)
    {
        var nobody = new Members(LocalTarget: null, PublicTarget: null, StaticLeader: null, Peers: [], UsesMajority: false);
        var keys = FileBacked<KeyRing>.Fixed(new KeyRing([]));
        var tls = FileBacked<TlsMaterial>.Fixed(TlsMaterial.None);
        return Create(new HaOptions { NodeId = options.NodeId }, nobody, keys, tls, adminToken: null) with
        {
            KeysWithoutEffect = [.. options.KeysFound.Where(KeyNames.IsMeantForUs)],
        };
    }

    private static HaSettings Create(
        HaOptions options,
        Members members,
        FileBacked<KeyRing> keys,
        FileBacked<TlsMaterial> tls,
        FileBacked<HashedToken>? adminToken) => new()
        {
            IsActive = false,
            NodeId = options.NodeId,
            ClusterId = options.ClusterId,
            LocalTarget = members.LocalTarget,
            PublicTarget = members.PublicTarget ?? members.LocalTarget,
            Peers = members.Peers,
            PeersWereNamed = options.Peers.Count > 0,
            StaticLeader = members.StaticLeader,
            LeaseStoreWasNamed = options.LeaseStore is not null,
            LeaseStore = null,
            OwnProvider = false,
            Elects = members.Elects,
            UsesMajority = members.UsesMajority,
            Preempt = options.Preempt,
            Witness = options.Witness,
            HeartbeatInterval = options.HeartbeatInterval,
            LeaseTimeout = TimingRules.LeaseTimeout(options),
            DrainTimeout = options.DrainTimeout,
            ShutdownDelay = options.ShutdownDelay,
            ForwardMode = options.ForwardMode,
            ForwardOverride = options.ForwardOverride,
            Prefixes = PathPrefixes.None,
            WriteHold = TimingRules.WriteHold(options),
            WriteHoldMax = options.WriteHoldMax,
            PublicInfo = options.PublicInfo,
            StatusPage = options.StatusPage,
            Insecure = options.Insecure,
            Keys = keys,
            Tls = tls,
            AdminToken = adminToken,
            RaiseFence = options.RaiseFence,
            WarmUp = options.WarmUp,
            Consistency = null,
            Standing = options.Standing,
            KeysWithoutEffect = [],
        };
}
