using Ha.Configuration;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ha.Endpoints;

/// <summary>What the endpoints show and call. One per node; all members are safe to use from any thread.</summary>
internal sealed record EndpointSources
{
    public required HaSettings Settings { get; init; }

    public required ILeaderProvider Provider { get; init; }

    /// <summary>The members as this node sees them now.</summary>
    public required Func<ClusterView> View { get; init; }

    public required ElectionTelemetry Telemetry { get; init; }

    public required TimeProvider Clock { get; init; }

    /// <summary>Answers <c>/_ha/heartbeat</c>; null where there is no election: 404.</summary>
    public RequestDelegate? Heartbeat { get; init; }

    /// <summary>Starts a handoff to the named node or to the best one; null where there is no election: 409.</summary>
    public Func<string?, HandoffStart>? StepDown { get; init; }

    /// <summary>Keeps this node from leading, after a handoff to the named node or to the best one; null where that cannot be: 409.</summary>
    public Func<string?, HandoffStart>? Pause { get; init; }

    /// <summary>Ends that; false or null where it cannot be paused: 409.</summary>
    public Func<bool>? Resume { get; init; }

    /// <summary>Recognises this node's own look at its URL.</summary>
    public OwnAddress OwnAddress { get; init; } = new();

    /// <summary>Fires when the host begins to stop; <c>ready</c> then says draining.</summary>
    public CancellationToken Stopping { get; init; }

    public ILogger Log { get; init; } = NullLogger.Instance;
}
