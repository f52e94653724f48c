using System.Net;
using System.Net.Sockets;

namespace Ha.Tests.Pipelines;

/// <summary>The leadership of two nodes, moved as an election would: the old leader always ends before the new one begins.</summary>
internal sealed class Cluster(PipelineNode[] nodes) : IDisposable
{
    private readonly Lock _lock = new();

    // Bound and not listening: whoever connects is refused, and nobody else gets the port.
    private readonly Socket _dead = Bind();
    private int _last;
    private long _epoch;

    /// <summary>True once anything changed since <see cref="Begin"/>.</summary>
    public bool Disturbed { get; private set; }

    private string DeadUrl => $"http://127.0.0.1:{((IPEndPoint)_dead.LocalEndPoint!).Port}";

    /// <summary>A calm cluster for the next case.</summary>
    public void Begin(int leader)
    {
        lock (_lock)
        {
            EndNeedsLock();
            LeadNeedsLock(leader, tellOther: true);
            Disturbed = false;
        }
    }

    public void Apply(Change change)
    {
        lock (_lock)
        {
            Disturbed = true;
            var leader = nodes[_last];
            var follower = nodes[1 - _last];
            switch (change)
            {
                case Change.Drain when leader.Leadership.Current.LeadsSelf:
                    leader.Leadership.Drain();
                    break;
                case Change.Lose:
                    EndNeedsLock();
                    break;
                case Change.TakeOver:
                    EndNeedsLock();
                    LeadNeedsLock(1 - _last, tellOther: true);
                    break;
                case Change.TakeOverInSilence:
                    EndNeedsLock();
                    LeadNeedsLock(1 - _last, tellOther: false);
                    break;
                case Change.LeadAgain:
                    EndNeedsLock();
                    LeadNeedsLock(_last, tellOther: true);
                    break;
                case Change.DeadAddress when !follower.Leadership.Current.LeadsSelf:
                    follower.Leadership.Follow(DeadUrl, ++_epoch);
                    break;
                case Change.OwnAddress when !follower.Leadership.Current.LeadsSelf:
                    follower.Leadership.Follow(follower.Url, ++_epoch);
                    break;
            }
        }
    }

    public void Dispose() => _dead.Dispose();

    private void EndNeedsLock()
    {
        foreach (var node in nodes)
        {
            node.Leadership.LoseLeader();
        }
    }

    private void LeadNeedsLock(int leader, bool tellOther)
    {
        _last = leader;
        nodes[leader].Leadership.Lead(++_epoch);
        if (tellOther)
        {
            nodes[1 - leader].Leadership.Follow(nodes[leader].Url, _epoch, leaderId: nodes[leader].Id);
        }
    }

    private static Socket Bind()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }
}
