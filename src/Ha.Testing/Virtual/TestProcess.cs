using Microsoft.AspNetCore.Http;

namespace Ha.Testing.Virtual;

/// <summary>A node between one start and its end.</summary>
internal sealed class TestProcess(string id, NodeLife life)
{
    public string Id => id;

    public NodeLife Life => life;

    public ElectedLeader? Leader { get; set; }

    public NodeStore? Store { get; set; }

    /// <summary>Answers a heartbeat, where members elect.</summary>
    public RequestDelegate Heartbeat => ((LuxLeader)Leader!).HandleHeartbeatAsync;
}
