using System.Runtime.InteropServices;
using Ha.Configuration;
using Ha.Http;
using Ha.Security;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Ha.Consistency;

/// <summary>
/// Gives answers to writes their position, and says where a read that brings one along can be served. Made on an active node whose
/// application asked for it. Thread-safe.
/// </summary>
internal sealed class ConsistentReads : IDisposable
{
    private static readonly Func<object, Task> _onStarting = static mark => ((PositionMark)mark).Owner.SignAsync((PositionMark)mark);

    private readonly ReadConsistency _options;
    private readonly ILeaderProvider _provider;
    private readonly string _clusterId;
    private readonly TimeProvider _clock;
    private readonly HaMetrics _metrics;
    private readonly ConsistencyReports _reports;
    private readonly KeySource _keys;
    private readonly SharedRead _written;
    private readonly CancellationTokenSource _stopping = new();

    /// <param name="options">The application's; disposed of with this object where it can be.</param>
    /// <param name="settings">Cluster id and keys.</param>
    /// <param name="provider">Who leads.</param>
    /// <param name="clock">Of all waits.</param>
    /// <param name="metrics">Told of every read with a position.</param>
    /// <param name="reports">Told of what fails.</param>
    /// <param name="keyEvents">Told of changed key files; null: the election tells of them.</param>
    public ConsistentReads(
        ReadConsistency options,
        HaSettings settings,
        ILeaderProvider provider,
        TimeProvider clock,
        HaMetrics metrics,
        ConsistencyReports reports,
        ElectionTelemetry? keyEvents = null)
    {
        (_options, _provider, _clusterId, _clock, _metrics, _reports) = (options, provider, settings.ClusterId, clock, metrics, reports);
        _keys = new KeySource(settings.Keys.AtStart);
        _written = new SharedRead(options.ReadWritten, clock, reports.WrittenUnread);
        Watch = new ReplicaWatch(options, clock, reports.ReachedUnread);
        settings.Keys.Watch(clock, Renew, problems => keyEvents?.KeysRefused(problems), _stopping.Token);

        void Renew(KeyRing ring)
        {
            _keys.Current = ring;
            keyEvents?.KeysReplaced(ring.Signer?.ToString(), ring.Count);
        }
    }

    /// <summary>This node's replica, and who waits for it.</summary>
    public ReplicaWatch Watch { get; }

    /// <summary>
    /// Where a read can be served, as soon as that is known. Waits for no longer than <see cref="ReadConsistency.MaxWait"/>.
    /// </summary>
    /// <param name="context">The request; <see cref="CarriedPositions.MayBeIn"/> it.</param>
    /// <param name="forwarded">Another node sent it here, because it needs the leader.</param>
    public ValueTask<ReadVerdict> JudgeAsync(HttpContext context, bool forwarded)
    {
        if (Find(context.Request) is not { } wanted)
        {
            return ValueTask.FromResult(Done(ReadStep.Serve, TimeSpan.Zero));
        }

        var step = ReadDecision.Begin(Facts(wanted, forwarded));
        return step is ReadStep.Look or ReadStep.Wait
            ? WaitAsync(wanted, step, context.RequestAborted)
            : ValueTask.FromResult(Done(step, TimeSpan.Zero));
    }

    /// <summary>The answer to a write that runs here, under <paramref name="epoch"/>, is to have a position if it succeeds.</summary>
    public void Mark(HttpContext context, long epoch)
    {
        if (context.Response.HasStarted)
        {
            return;
        }

        var mark = context.Features.Get<PositionMark>();
        if (mark is null)
        {
            mark = new PositionMark(this, context);
            context.Features.Set(mark);
            context.Response.OnStarting(_onStarting, mark);
        }

        mark.Epoch = epoch;
    }

    /// <summary>The handler refused the write: the answer will be somebody else's.</summary>
    public static void Unmark(HttpContext context)
    {
        if (context.Features.Get<PositionMark>() is { } mark)
        {
            mark.Epoch = null;
        }
    }

    public void Dispose()
    {
        _stopping.Cancel();
        Watch.Dispose();
        (_options as IDisposable)?.Dispose();
    }

    private async ValueTask<ReadVerdict> WaitAsync(ReadPosition wanted, ReadStep step, CancellationToken cancelled)
    {
        var from = _clock.GetTimestamp();
        var outcome = await Watch.WaitAsync(wanted.Number, step == ReadStep.Look, _options.MaxWait, cancelled);
        if (outcome == ReplicaOutcome.Full)
        {
            _reports.WaitingFull();
        }

        var then = outcome switch
        {
            ReplicaOutcome.Reached => ReadStep.Serve,
            ReplicaOutcome.Cancelled => ReadStep.GiveUp,
            _ => ReadDecision.AtLast(Facts(wanted, forwarded: false)),
        };
        return Done(then, _clock.GetElapsedTime(from));
    }

    private ReadVerdict Done(ReadStep step, TimeSpan waited)
    {
        _metrics.Read(
            step switch
            {
                ReadStep.Serve => ReadOutcome.Reached,
                ReadStep.Leader => ReadOutcome.Leader,
                ReadStep.GiveUp => ReadOutcome.Cancelled,
                _ => ReadOutcome.Refused,
            },
            waited);
        var left = _options.MaxWait - waited;
        return new ReadVerdict(step, left > TimeSpan.Zero ? left : TimeSpan.Zero);
    }

    private ReadFacts Facts(ReadPosition wanted, bool forwarded)
    {
        var now = _provider.Current;
        return new ReadFacts(wanted, now.KnowsLeader ? now.Epoch : 0, now.IsLeader, forwarded);
    }

    /// <summary>The latest position of a request that is good and not known to be reached.</summary>
    private ReadPosition? Find(HttpRequest request)
    {
        var found = new List<(ReadPosition Position, string Text)>(1);
        foreach (var text in CarriedPositions.In(request))
        {
            if (PositionText.TryRead(text, out var position))
            {
                found.Add((position, text));
            }
            else
            {
                Ignore(PositionOutcome.Malformed);
            }
        }

        found.Sort(static (a, b) => ReadPosition.Compare(b.Position, a.Position));
        var keys = _keys.Current;
        foreach (var (position, text) in found)
        {
            // Whoever made up one that asks for nothing gets nothing by it, and signatures of others need not be looked at.
            if (Watch.HasReached(position.Number))
            {
                continue;
            }

            if (PositionText.WhyNot(text, _clusterId, keys) is not { } fault)
            {
                return position;
            }

            Ignore(fault);
        }

        return null;
    }

    private void Ignore(PositionOutcome fault)
    {
        _metrics.Position(fault);
        _reports.Ignored(HaMetrics.Word(fault));
    }

    /// <summary>Right before the first byte of the answer leaves: what the handler has committed by now is in the position.</summary>
    private async Task SignAsync(PositionMark mark)
    {
        var response = mark.Context.Response;
        if (mark.Epoch is not { } epoch || response.StatusCode is < StatusCodes.Status200OK or >= StatusCodes.Status400BadRequest)
        {
            return;
        }

        var number = await _written.ReadAsync(mark.Context.RequestAborted);
        var text = number is { } read ? PositionText.Write(new ReadPosition(epoch, read), _clusterId, _keys.Current) : null;
        _metrics.Position(text is null ? PositionOutcome.Unread : PositionOutcome.Issued);
        if (text is null)
        {
            return;
        }

        response.Headers[HaHeaders.Position] = text;
        if (_options.CookieLifetime is { } lifetime)
        {
            response.Cookies.Append(HaHeaders.PositionCookie, text, new CookieOptions
            {
                HttpOnly = true,
                IsEssential = true,
                MaxAge = lifetime,
                Path = "/",
                SameSite = SameSiteMode.Lax,
                Secure = mark.Context.Request.IsHttps,
            });
        }
    }
}

/// <summary>Where a read can be served.</summary>
/// <param name="Step">One that ends the judgement.</param>
/// <param name="Patience">What is left of the time that it may wait.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ReadVerdict(ReadStep Step, TimeSpan Patience);

/// <summary>On a write that runs here.</summary>
internal sealed class PositionMark(ConsistentReads owner, HttpContext context)
{
    public ConsistentReads Owner => owner;

    public HttpContext Context => context;

    /// <summary>Of the leadership it runs under; null: its handler has refused.</summary>
    public long? Epoch { get; set; }
}
