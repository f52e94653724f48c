using Microsoft.AspNetCore.SignalR;

namespace Ha.Tests.Forwarding;

/// <summary>What a node registers for its <see cref="WhereHub"/>.</summary>
internal sealed record NodeName(string Name);

/// <summary>Tells which node a connection has come to.</summary>
internal sealed class WhereHub(NodeName node) : Hub
{
    public string Where() => node.Name;
}
