using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Primitives;

namespace Ha.Leadership;

/// <summary>
/// Tells forwarded requests when to stop waiting for an answer: one lease after the leader they were sent to is no
/// longer the leader. What it confirms later it may not have committed under its lease, and a host that died
/// without closing its connections never answers at all. gRPC answers that this node began while it led get as long.
/// One token per term is shared by all requests. Thread-safe.
/// </summary>
internal sealed class AnswerGrace : IDisposable
{
    private readonly Lock _lock = new();
    private readonly ILeaderProvider _provider;
    private readonly TimeProvider _clock;
    private readonly TimeSpan _grace;
    private readonly IDisposable _subscription;
    private Term? _term;

    /// <param name="provider">Who tells of changes.</param>
    /// <param name="clock">Measures <paramref name="grace"/>.</param>
    /// <param name="grace">From the end of a term until its requests are given up.</param>
    public AnswerGrace(ILeaderProvider provider, TimeProvider clock, TimeSpan grace)
    {
        _provider = provider;
        _clock = clock;
        _grace = grace;
        _subscription = ChangeToken.OnChange(provider.GetChangeToken, OnChange);
    }

    /// <summary>Fires when a request sent to the leader of <paramref name="leadership"/> should be given up.</summary>
    public CancellationToken GivenUp(LeadershipSnapshot leadership)
    {
        lock (_lock)
        {
            if (_term is { IsGivenUp: false } shared && shared.IsOf(leadership))
            {
                return shared.GivenUp;
            }

            var term = new Term(leadership, _clock);
            if (term.IsOf(_provider.Current))
            {
                _term?.End(_grace);
                _term = term;
            }
            else
            {
                // The leader changed after the request had looked. Nobody will announce the end of this term again,
                // and its request must not end the present one.
                term.End(_grace);
            }

            return term.GivenUp;
        }
    }

    public void Dispose() => _subscription.Dispose();

    private void OnChange()
    {
        var leadership = _provider.Current;
        lock (_lock)
        {
            if (_term?.IsOf(leadership) == true)
            {
                _term.Resume();
            }
            else
            {
                _term?.End(_grace);
            }
        }
    }

    // Not disposed: requests hold its token, and it owns a timer only while its grace runs.
    [SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "See above.")]
    private sealed class Term(LeadershipSnapshot leadership, TimeProvider clock)
    {
        private readonly CancellationTokenSource _source = new(Timeout.InfiniteTimeSpan, clock);
        private bool _ending;

        public CancellationToken GivenUp => _source.Token;

        public bool IsGivenUp => _source.IsCancellationRequested;

        public bool IsOf(LeadershipSnapshot other) =>
            ReferenceEquals(leadership, other)
            || (leadership.Epoch == other.Epoch
                && string.Equals(leadership.LeaderTarget, other.LeaderTarget, StringComparison.Ordinal));

        /// <summary>Starts the grace; further changes of the successors do not prolong it.</summary>
        public void End(TimeSpan grace)
        {
            if (!_ending)
            {
                _ending = true;
                _source.CancelAfter(grace);
            }
        }

        /// <summary>The leader was out of sight for a moment only.</summary>
        public void Resume()
        {
            _ending = false;
            _source.CancelAfter(Timeout.InfiniteTimeSpan);
        }
    }
}
