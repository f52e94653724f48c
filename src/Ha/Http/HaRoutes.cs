namespace Ha.Http;

/// <summary>The routes of the contract, in one place. Compiled into the server and the client package.</summary>
internal static class HaRoutes
{
    /// <summary>The status page, and what all others begin with.</summary>
    public const string Root = "/_ha";

    public const string Heartbeat = Root + "/heartbeat";

    public const string Leader = Root + "/leader";

    public const string Peers = Root + "/peers";

    public const string Health = Root + "/healthz";

    public const string HealthLeader = Health + "/leader";

    public const string HealthReady = Health + "/ready";

    public const string StepDown = Root + "/step-down";

    public const string Pause = Root + "/pause";

    public const string Resume = Root + "/resume";

    /// <summary>All methods of gRPC's own health service begin with this.</summary>
    public const string GrpcHealth = "/grpc.health.v1.Health/";
}
