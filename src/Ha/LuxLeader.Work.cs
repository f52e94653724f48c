using Ha.Election;
using Ha.Heartbeat;
using Ha.Leadership;

namespace Ha;

// What the core asks for and what takes time: requests to peers, the drain, the application's fence.
public sealed partial class LuxLeader
{
    private async Task SendAsync(int peer, Beat beat)
    {
        var target = _config.Peers[peer];
        var started = _clock.GetTimestamp();
        var exchange = await ExchangeAsync(target, beat);
        Effects effects;
        lock (_lock)
        {
            _sending[peer] = false;
            if (exchange.Reply is { } reply)
            {
                var (now, wall) = ReadClocks();
                _core.ReceiveReply(peer, reply, now, wall);
            }
            else if (exchange.Failure == ExchangeFailure.FixedLeader)
            {
                _core.MeetFixedLeader(peer, beat.Seq, exchange.Verified, _clock.NowMicros(), exchange.Detail);
            }
            else
            {
                _core.BeatFailed(peer, beat.Seq, _clock.NowMicros(), exchange.Detail);
            }

            effects = SettleNeedsLock();
        }

        Act(effects);
        if (exchange.Reply is not null)
        {
            Tell(() => _telemetry.Metrics.HeartbeatSent(target, _clock.GetElapsedTime(started)));
        }
        else if (!_stopping.IsCancellationRequested)
        {
            Tell(() => _telemetry.HeartbeatFailed(target, exchange.Reason, exchange.Detail));
        }
    }

    /// <summary>Does not throw: nothing would ever be sent to this peer again.</summary>
    private async Task<BeatExchange> ExchangeAsync(string target, Beat beat)
    {
        try
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            timeout.CancelAfter(BeatTimeout);
            return await _client.SendAsync(target, beat, timeout.Token);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A handler that the application brought may throw anything.
            return BeatExchange.Failed(ExchangeFailure.Broken, e.Message);
        }
    }

    /// <summary>The gate is closed and published, so an empty count under the lock stays empty.</summary>
    private async Task DrainAsync()
    {
        while (true)
        {
            await Gate.WhenEmptyAsync();
            Effects effects;
            lock (_lock)
            {
                if (_core.GateClosed && Gate.Inside > 0)
                {
                    continue;
                }

                _core.CompleteDrain(_clock.NowMicros());
                _drainRuns = false;
                effects = SettleNeedsLock();
            }

            Act(effects);
            return;
        }
    }

    private async Task RaiseFenceAsync(long epoch)
    {
        while (!_stopping.IsCancellationRequested)
        {
            var before = await TryRaiseFenceAsync(epoch);
            if (before is null && _stopping.IsCancellationRequested)
            {
                return;
            }

            Effects effects;
            var again = false;
            lock (_lock)
            {
                if (before is { } floor)
                {
                    _core.ConfirmEpochFloor(floor, epoch, _clock.NowMicros());
                }

                again = before is null && _core.NeedsEpochFloor && _core.Epoch == epoch;
                if (!again && _fenceRaisedFor == epoch)
                {
                    _fenceRaisedFor = 0;
                }

                effects = SettleNeedsLock();
            }

            Act(effects);
            if (!again)
            {
                return;
            }

            await Task.Delay(_settings.HeartbeatInterval, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>
    /// Somebody waits for a leader before this node may lead. In a background service that is as it should be; in what
    /// the start of the server waits for, on all nodes, nobody ever leads.
    /// </summary>
    private void WarnIfReadyComesLate()
    {
        if (!_isReady && Interlocked.Exchange(ref _lateReadyWatched, 1) == 0)
        {
            _ = WatchAsync();
        }

        async Task WatchAsync()
        {
            await Task.Delay(_readyPatience, _clock, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!_isReady && !_stopping.IsCancellationRequested && !Current.KnowsLeader())
            {
                Tell(_telemetry.AwaitedBeforeReady);
            }
        }
    }

    private async Task CheckFenceAsync(long epoch)
    {
        if (await TryRaiseFenceAsync(epoch) is { } floor)
        {
            Step((core, now) => core.ConfirmEpochFloor(floor, epoch, now));
        }
    }

    private async Task<long?> TryRaiseFenceAsync(long epoch)
    {
        try
        {
            using var attempt = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            attempt.CancelAfter(LeaseTime.FromMicros(_config.FencePatienceMicros));

            // On the pool: what the application does here may block, and this thread may be answering a member.
            var before = await Task.Run(() => _settings.RaiseFence!(epoch, attempt.Token).AsTask());
            return before < ElectionCore.MaxEpoch
                ? before
                : throw new InvalidOperationException($"The stored epoch {before} is too high: none of this cluster ever was {ElectionCore.MaxEpoch}.");
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            if (!(_stopping.IsCancellationRequested && e is (OperationCanceledException or ObjectDisposedException)))
            {
                Tell(() => _telemetry.FenceFailed(e));
            }

            return null;
        }
    }
}
