using Ha.Configuration;
using Ha.Election;

namespace Ha.Leadership;

/// <summary>Why a heartbeat got no usable answer.</summary>
internal enum ExchangeFailure
{
    None,

    /// <summary>No key to sign with.</summary>
    NoKey,

    /// <summary>Name resolution or connecting failed: nothing was sent.</summary>
    Unreachable,

    /// <summary>The TLS handshake failed: this node does not trust the peer, or the peer not this node.</summary>
    Tls,

    /// <summary>The caller's token fired first.</summary>
    TimedOut,

    /// <summary>The connection broke, or what came is not HTTP.</summary>
    Broken,

    /// <summary>401: the peer does not take our signature.</summary>
    Unauthorized,

    /// <summary>
    /// 408, 429, 502, 503 or 504: a member too busy to read, a gateway in front of one that is not there yet. It says "not now" and nothing
    /// of who is there.
    /// </summary>
    Unavailable,

    /// <summary>Another status that carries no message.</summary>
    UnexpectedStatus,

    /// <summary>The answer is larger than 16 KiB.</summary>
    TooLarge,

    /// <summary>The answer is not signed by a key of ours, or not for this request.</summary>
    Unverified,

    /// <summary>The answer is signed with the key of another node than the one it speaks for.</summary>
    WrongNode,

    /// <summary>The answer is signed, but not a valid message.</summary>
    Malformed,

    /// <summary>The peer has a fixed leader and takes part in no election.</summary>
    FixedLeader,
}

/// <summary>What came of one heartbeat: a verified reply, or why there is none.</summary>
/// <param name="Reply">Not null exactly when <paramref name="Failure"/> is <see cref="ExchangeFailure.None"/>.</param>
/// <param name="Failure">The kind of failure.</param>
/// <param name="Detail">A few words for people; nothing the peer sent.</param>
/// <param name="Verified">True when a key of ours vouches for the answer, or none is asked for.</param>
internal readonly record struct BeatExchange(BeatReply? Reply, ExchangeFailure Failure, string Detail, bool Verified)
{
    public static BeatExchange Answered(BeatReply reply) => new(reply, ExchangeFailure.None, "", Verified: true);

    public static BeatExchange Failed(ExchangeFailure failure, string detail) => new(null, failure, detail, Verified: false);

    public static BeatExchange MetFixedLeader(bool verified) => new(
        null, ExchangeFailure.FixedLeader, $"the peer has {HaKeys.StaticLeader}, and nobody is elected beside a fixed leader; set it on every node or on none", verified);

    /// <summary>A fixed word for logs and counters.</summary>
    public string Reason => Failure switch
    {
        ExchangeFailure.None => "none",
        ExchangeFailure.NoKey => "no_key",
        ExchangeFailure.Unreachable => "unreachable",
        ExchangeFailure.Tls => "tls",
        ExchangeFailure.TimedOut => "timed_out",
        ExchangeFailure.Broken => "broken",
        ExchangeFailure.Unauthorized => "unauthorized",
        ExchangeFailure.Unavailable => "unavailable",
        ExchangeFailure.UnexpectedStatus => "unexpected_status",
        ExchangeFailure.TooLarge => "too_large",
        ExchangeFailure.Unverified => "unverified",
        ExchangeFailure.WrongNode => "wrong_node",
        ExchangeFailure.FixedLeader => "fixed_leader",
        _ => "malformed",
    };
}
