using Ha.Election;
using Ha.Telemetry;

namespace Ha.Leadership;

/// <summary>
/// Owns one election among members. Messages leave through a delegate, from when the server listens, and arrive at
/// <see cref="Receive"/>. Starts at construction, ends when disposed. Thread-safe.
/// </summary>
internal sealed class ElectionRunner : LeadershipRunner<ElectionCore>
{
    private readonly ElectionConfig _config;
    private readonly TimeSpan _beatTimeout;
    private readonly Func<string, Beat, CancellationToken, Task<BeatExchange>> _send;
    private readonly bool[] _sending;
    private readonly Task[] _sends;

    /// <param name="config">Of one instance of the state machine.</param>
    /// <param name="send">Sends one message to the peer of this URL; the token is its time limit.</param>
    /// <param name="raiseFence"><see cref="HaOptions.RaiseFence"/>.</param>
    /// <param name="clock">Of leases, limits and pauses.</param>
    /// <param name="telemetry">Told of everything, outside the lock.</param>
    /// <param name="surroundings">Default: the process.</param>
    public ElectionRunner(
        ElectionConfig config,
        Func<string, Beat, CancellationToken, Task<BeatExchange>> send,
        Func<long, CancellationToken, ValueTask<long>>? raiseFence,
        TimeProvider clock,
        ElectionTelemetry telemetry,
        Surroundings? surroundings = null)
        : base(
            new ElectionCore(config, clock.NowMicros(), clock.WallMicros()),
            new LeadershipPublisher(config.NodeId, config.Target, config.PublicTarget, LeaseTime.FromMicros(config.LeaseMicros), clock),
            raiseFence is null ? null : (raiseFence, LeaseTime.FromMicros(config.FencePatienceMicros)),
            fencePause: LeaseTime.FromMicros(config.IntervalMicros),
            releasePatience: LeaseTime.FromMicros(config.BeatTimeoutMicros),
            clock,
            telemetry,
            surroundings ?? Surroundings.OfProcess)
    {
        _config = config;
        _beatTimeout = LeaseTime.FromMicros(config.BeatTimeoutMicros);
        _send = send;
        _sending = new bool[config.Peers.Count];
        _sends = new Task[config.Peers.Count];
        Array.Fill(_sends, Task.CompletedTask);
        Start();
    }

    public override Task Ended => Task.WhenAll(_sends);

    public override void SetListening()
    {
        base.SetListening();
        Step(static (core, now, _) => core.SetListening(now));
    }

    /// <summary>Answers one verified message.</summary>
    public BeatReply Receive(Beat beat)
    {
        BeatReply reply = null!;
        Step((core, now, wall) => reply = core.Receive(beat, now, wall));
        if (reply.Status == BeatStatus.Ok)
        {
            Tell(Telemetry.Metrics.HeartbeatReceived);
        }
        else
        {
            Tell(() => Telemetry.HeartbeatRefused(reply.Status, beat.From));
        }

        return reply;
    }

    protected override bool HearsBeforeItListens => false;

    protected override Action? TakeSends(ElectionCore core)
    {
        List<(int Peer, Beat Beat)>? beats = null;
        for (var peer = 0; peer < core.PeerCount; peer++)
        {
            if (core.WantsBeat(peer) && !_sending[peer])
            {
                _sending[peer] = true;
                var (sentAt, wall) = ReadClocks();
                (beats ??= []).Add((peer, core.CreateBeat(peer, sentAt, wall)));
            }
        }

        return beats is null ? null : () => beats.ForEach(next => _sends[next.Peer] = SendAsync(next.Peer, next.Beat));
    }

    protected override ClusterView View(ElectionCore core, LeadershipSnapshot leader, long now, DateTimeOffset wall) =>
        ClusterViews.OfElection(_config, core, leader, now, wall);

    protected override bool HasOthers(ElectionCore core) => core.PeerCount > 0;

    private async Task SendAsync(int peer, Beat beat)
    {
        var target = _config.Peers[peer];
        var started = Clock.GetTimestamp();
        var exchange = await ExchangeAsync(target, beat);
        Step((core, now, wall) =>
        {
            _sending[peer] = false;
            if (exchange.Reply is { } reply)
            {
                core.ReceiveReply(peer, reply, now, wall);
            }
            else if (exchange.Failure == ExchangeFailure.FixedLeader)
            {
                core.MeetFixedLeader(peer, beat.Seq, exchange.Verified, now, exchange.Detail);
            }
            else
            {
                core.BeatFailed(peer, beat.Seq, now, exchange.Detail);
            }
        });

        if (exchange.Reply is not null)
        {
            Tell(() => Telemetry.Metrics.HeartbeatSent(target, Clock.GetElapsedTime(started)));
        }
        else if (!Stopping.IsCancellationRequested)
        {
            Tell(() => Telemetry.HeartbeatFailed(target, exchange.Reason, exchange.Detail));
        }
    }

    /// <summary>Does not throw: nothing would ever be sent to this peer again.</summary>
    private async Task<BeatExchange> ExchangeAsync(string target, Beat beat)
    {
        try
        {
            using var timeout = new CancellationTokenSource(_beatTimeout, Clock);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, Stopping);
            return await _send(target, beat, limit.Token);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A handler that the application brought may throw anything.
            return BeatExchange.Failed(ExchangeFailure.Broken, e.Message);
        }
    }
}
