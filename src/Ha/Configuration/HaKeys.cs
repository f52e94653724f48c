namespace Ha.Configuration;

/// <summary>The names of the configuration keys, in the order of docs/configuration.md.</summary>
internal static class HaKeys
{
    public const string Prefix = "BASE_";

    public const string NodeId = "BASE_NODE_ID";
    public const string LocalTarget = "BASE_LOCAL_TARGET";
    public const string PublicTarget = "BASE_PUBLIC_TARGET";
    public const string Peers = "BASE_PEERS";
    public const string StaticLeader = "BASE_STATIC_LEADER";
    public const string LeaseStore = "BASE_LEASE_STORE";
    public const string ClusterSecret = "BASE_CLUSTER_SECRET";
    public const string ClusterSecretFile = "BASE_CLUSTER_SECRET_FILE";
    public const string NodeKey = "BASE_NODE_KEY";
    public const string NodeKeyFile = "BASE_NODE_KEY_FILE";
    public const string PeerKeys = "BASE_PEER_KEYS";
    public const string Insecure = "BASE_INSECURE";
    public const string CaFile = "BASE_CA_FILE";
    public const string ClientCertFile = "BASE_CLIENT_CERT_FILE";
    public const string ClientKeyFile = "BASE_CLIENT_KEY_FILE";
    public const string HeartbeatInterval = "BASE_HEARTBEAT_INTERVAL";
    public const string LeaseTimeout = "BASE_LEASE_TIMEOUT";
    public const string Quorum = "BASE_QUORUM";
    public const string Preempt = "BASE_PREEMPT";
    public const string Witness = "BASE_WITNESS";
    public const string ClusterId = "BASE_CLUSTER_ID";
    public const string ForwardMode = "BASE_FORWARD_MODE";
    public const string ForwardOverride = "BASE_FORWARD_OVERRIDE";
    public const string ForwardNever = "BASE_FORWARD_NEVER";
    public const string ForwardAlways = "BASE_FORWARD_ALWAYS";
    public const string WriteHold = "BASE_WRITE_HOLD";
    public const string WriteHoldMax = "BASE_WRITE_HOLD_MAX";
    public const string DrainTimeout = "BASE_DRAIN_TIMEOUT";
    public const string ShutdownDelay = "BASE_SHUTDOWN_DELAY";
    public const string AdminToken = "BASE_ADMIN_TOKEN";
    public const string AdminTokenFile = "BASE_ADMIN_TOKEN_FILE";
    public const string PublicInfo = "BASE_PUBLIC_INFO";
    public const string StatusPage = "BASE_STATUS_PAGE";

    /// <summary>Keys that are read.</summary>
    public static readonly string[] Known =
    [
        NodeId, LocalTarget, PublicTarget, Peers, StaticLeader, LeaseStore, ClusterSecret, ClusterSecretFile, NodeKey, NodeKeyFile,
        PeerKeys, Insecure, CaFile, ClientCertFile, ClientKeyFile, HeartbeatInterval, LeaseTimeout, Quorum, Preempt,
        Witness, ClusterId, ForwardMode, ForwardOverride, ForwardNever, ForwardAlways, WriteHold, WriteHoldMax, DrainTimeout,
        ShutdownDelay, AdminToken, AdminTokenFile, PublicInfo, StatusPage,
    ];
}
