namespace Ha.Security;

/// <summary>How a message's signature was judged.</summary>
internal enum SignatureVerdict
{
    Valid,

    /// <summary>One of the three header fields is absent.</summary>
    Missing,

    /// <summary>A header field is repeated, too long or not in the one form that is accepted.</summary>
    Malformed,

    /// <summary>Other components are covered than the fixed ones, or in another order.</summary>
    WrongComponents,

    /// <summary>No key has this key id.</summary>
    UnknownKey,

    /// <summary>The key exists, but belongs to another algorithm.</summary>
    WrongAlgorithm,

    /// <summary>The key belongs to another node than the one the message speaks for.</summary>
    WrongNode,

    /// <summary>The body is not the one that was signed.</summary>
    WrongDigest,

    /// <summary>The signature is not by that key over this message.</summary>
    BadSignature,
}

internal static class SignatureVerdictWords
{
    /// <summary>A fixed word for logs, counters and error bodies.</summary>
    public static string Word(this SignatureVerdict verdict) => verdict switch
    {
        SignatureVerdict.Valid => "valid",
        SignatureVerdict.Missing => "unsigned",
        SignatureVerdict.Malformed => "malformed_signature",
        SignatureVerdict.WrongComponents => "wrong_components",
        SignatureVerdict.UnknownKey => "unknown_key",
        SignatureVerdict.WrongAlgorithm => "wrong_algorithm",
        SignatureVerdict.WrongNode => "wrong_node",
        SignatureVerdict.WrongDigest => "wrong_digest",
        _ => "bad_signature",
    };
}
