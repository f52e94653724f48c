using System.Diagnostics.CodeAnalysis;
using Ha.Testing.Virtual;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Ha.Testing;

/// <summary>
/// One node of a <see cref="TestCluster"/>, also across its restarts. An application takes part as this node by
/// <c>services.AddTestLeadership(cluster["a"])</c>; its host's stop hands over and lets virtual time pass for it. Thread-safe.
/// </summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "Its source has neither a timer nor a wait handle.")]
public sealed class TestNode : ILeaderProvider, ILeadershipControl
{
    private readonly TestCluster _cluster;
    private CancellationTokenSource _restarted = new();
    private TestProcess _process;

    internal TestNode(TestCluster cluster, string id, TestProcess process) => (_cluster, Id, _process) = (cluster, id, process);

    /// <summary>Its node id.</summary>
    public string Id { get; }

    /// <summary>Its base URL as clients reach it, <c>http://</c>, the id, <c>.example</c>: what followers redirect to. Nothing listens there.</summary>
    public string Url => UrlOf(Id);

    /// <summary>True unless it was killed or stopped.</summary>
    public bool IsAlive => !Process.Life.IsDead;

    /// <summary>True while it is stopped by <see cref="Pause"/>.</summary>
    public bool IsPaused => Process.Life.IsPaused;

    /// <inheritdoc />
    public bool IsLeader => Current.IsLeader;

    /// <inheritdoc />
    public string? RedirectTarget => Current.RedirectTarget;

    /// <inheritdoc />
    public LeadershipSnapshot Current => Leader.Current;

    /// <inheritdoc />
    public Task Ready => Leader.Ready;

    /// <inheritdoc />
    public ILeadershipControl Control => this;

    /// <inheritdoc />
    public WriteGate Gate { get; } = new();

    RequestDelegate? ILeadershipControl.Heartbeat => null;

    /// <summary>The application's fence; null: there is none.</summary>
    internal Func<long, CancellationToken, ValueTask<long>>? RaiseFence { get; set; }

    internal TestProcess Process
    {
        get => Volatile.Read(ref _process);
        set
        {
            Volatile.Write(ref _process, value);
            _ = Interlocked.Exchange(ref _restarted, new CancellationTokenSource()).CancelAsync();
        }
    }

    internal ElectedLeader Leader => Process.Leader!;

    /// <summary>The process is gone at once: nothing is handed over, its lease runs out by itself, and others find nobody at its URL.</summary>
    public void Kill() => _cluster.Kill(this);

    /// <summary>A new process under the same id, after <see cref="Kill"/> or <see cref="Stop"/>; one that still runs is killed first.</summary>
    public void Restart() => _cluster.Restart(this);

    /// <summary>
    /// The process stops as by SIGSTOP: it does and hears nothing, while its clock goes on. In this test's own process the
    /// application's code still runs, and sees what it would see on waking up.
    /// </summary>
    public void Pause() => _cluster.Pause(this);

    /// <summary>The process goes on, with whatever became due or arrived meanwhile.</summary>
    public void Resume() => _cluster.Resume(this);

    /// <summary>
    /// The process ends as by SIGTERM: it hands over, for which time passes up to drain timeout and lease, and is gone.
    /// </summary>
    public void Stop() => _cluster.Stop(this);

    /// <summary>Nothing passes between it and any other place, the store included, until <see cref="TestCluster.Heal()"/>.</summary>
    public void Isolate() => _cluster.Isolate(this);

    /// <inheritdoc />
    public HandoffStart StepDown(string? toNodeId) => _cluster.StepDown(this, toNodeId);

    /// <inheritdoc />
    public IChangeToken GetChangeToken()
    {
        // In this order: a restart in between fires the first.
        var restarted = new CancellationChangeToken(Volatile.Read(ref _restarted).Token);
        return new CompositeChangeToken([restarted, Leader.GetChangeToken()]);
    }

    /// <inheritdoc />
    public Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default) => LeaderWait.ForAsync(this, cancellationToken);

    /// <summary>The id and what it sees.</summary>
    public override string ToString() =>
        Current is { LeadsSelf: false, KnowsLeader: false, WhyNobodyLeads: { } why } && IsAlive ? $"{Id} {Describe()}: {why}" : $"{Id} {Describe()}";

    /// <summary>By an operator, as opposed to <see cref="Pause"/>.</summary>
    HandoffStart ILeadershipControl.Pause(string? toNodeId) => _cluster.StandAside(this, toNodeId);

    bool ILeadershipControl.Resume() => _cluster.StandAgain(this);

    bool ILeadershipControl.ReportHealth(string? trouble) => _cluster.ReportHealth(this, trouble);

    ClusterView ILeadershipControl.View() => Leader.Control.View();

    void ILeadershipControl.SetReady()
    {
    }

    /// <returns>False: no socket anywhere has a last write on its way here.</returns>
    async Task<bool> ILeadershipControl.HandOffAsync(CancellationToken cancellationToken)
    {
        await Task.Run(() => _cluster.HandOver(this), cancellationToken);
        return false;
    }

    void ILeadershipControl.CheckFence(long epoch) => _cluster.CheckFence(this, epoch);

    internal static string UrlOf(string id) => $"http://{id}.example";

    internal string Describe()
    {
        var now = Current;
        var view = now.IsLeader ? $"leads in epoch {now.Epoch}{(now.AdmitsWrites ? "" : ", handing over")}"
            : now is { LeadsSelf: false, KnowsLeader: true } ? $"follows {now.LeaderId} in epoch {now.Epoch}"
            : now.LeadsSelf ? "led until its lease ran out"
            : "knows of no leader";
        return !IsAlive ? "is gone" : IsPaused ? $"is paused, {view}" : view;
    }
}
