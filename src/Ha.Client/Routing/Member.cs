namespace Ha.Client.Routing;

/// <summary>
/// One node as this client sees it. The methods that change it end in NeedsLock: <see cref="ClusterMap"/> owns the lock
/// and the time.
/// </summary>
/// <param name="url">Where it is sent to.</param>
/// <param name="configured">Named in the options.</param>
/// <param name="trusted">May see credentials.</param>
/// <param name="name">The base URL that it is one address of; null: <paramref name="url"/> itself.</param>
/// <param name="isSpare">An address of the other family, which may lead to a node that is known by another one.</param>
internal sealed class Member(string url, bool configured, bool trusted, string? name = null, bool isSpare = false)
{
    private static readonly TimeSpan _firstBackoff = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan _longestBackoff = TimeSpan.FromSeconds(15);

    private int _failures;
    private long _lastAnswer = long.MinValue;
    private bool _probing;

    public string Url { get; } = url;

    /// <summary>The base URL by name; the same as <see cref="Url"/> where the name has one address only.</summary>
    public string Name { get; } = name ?? url;

    /// <summary>
    /// What the <c>Host</c> header says where <see cref="Url"/> does not: <c>SocketsHttpHandler</c> takes the name for TLS from it
    /// too, the one it sends and the one it looks for in the certificate. Else null.
    /// </summary>
    public string? Host { get; } = name?[(name.IndexOf("://", StringComparison.Ordinal) + 3)..];

    /// <summary>Named in the options: takes part in the spread, and may name leaders.</summary>
    public bool Configured { get; } = configured;

    /// <summary>May see credentials.</summary>
    public bool Trusted { get; } = trusted;

    /// <summary>Of second choice: used while those of the first are avoided.</summary>
    public bool IsSpare { get; } = isSpare;

    /// <summary>Failures in a row; 0 on a healthy node. May be read without the lock.</summary>
    public int Failures => Volatile.Read(ref _failures);

    /// <summary>Until when others are preferred.</summary>
    public TimeSpan AvoidUntil { get; private set; }

    /// <summary>The highest epoch known when it failed: who still calls it the leader of that epoch has not noticed.</summary>
    public long FailedEpoch { get; private set; }

    /// <summary>When it last answered anything, as a timestamp of the clock; it may be set and read without the lock.</summary>
    public long LastAnswer
    {
        get => Volatile.Read(ref _lastAnswer);
        set => Volatile.Write(ref _lastAnswer, value);
    }

    /// <summary>The next attempt goes here; the others stay away until it is clear whether the node is back.</summary>
    public Member ClaimNeedsLock(TimeSpan until)
    {
        if (_failures > 0)
        {
            (_probing, AvoidUntil) = (true, until);
        }

        return this;
    }

    /// <summary>
    /// Puts the node aside for longer each time; null when that has been done: calls that were under way at the same
    /// time count once, since a burst must not drive the back-off to its end.
    /// </summary>
    public TimeSpan? FailNeedsLock(TimeSpan now, double jitter)
    {
        if (now < AvoidUntil && !_probing)
        {
            return null;
        }

        var delay = Backoff.Delay(_firstBackoff, _longestBackoff, _failures, jitter);
        (_failures, _probing, AvoidUntil) = (_failures + 1, false, now + delay);
        return delay;
    }

    public void RaiseFailedEpochNeedsLock(long epoch) => FailedEpoch = Math.Max(FailedEpoch, epoch);

    public void ClearNeedsLock() => (_failures, _probing, AvoidUntil) = (0, false, TimeSpan.Zero);

    public override string ToString() => Url;
}
