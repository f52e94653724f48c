namespace Ha.Client.Routing;

/// <summary>What one attempt means for the call.</summary>
internal enum Meaning
{
    /// <summary>An answer of the application, whatever its status: it goes to the caller.</summary>
    Final,

    /// <summary>307 to the leader; nothing was executed.</summary>
    Redirected,

    /// <summary>The node says that it executed nothing, and may say when to come back; without a response: it refused the stream.</summary>
    Refused,

    /// <summary>No connection came about, so nothing was executed.</summary>
    Unreachable,

    /// <summary>A node between says that nobody knows whether it was executed (502).</summary>
    OutcomeUnknown,

    /// <summary>The connection broke after the request may have left.</summary>
    Broken,

    /// <summary>No response headers within the attempt's time.</summary>
    TimedOut,
}

/// <summary>The result of one attempt, as a value.</summary>
/// <param name="Meaning">What it means for the call.</param>
/// <param name="Word">What to tell people about it.</param>
internal sealed record Answer(Meaning Meaning, string Word)
{
    public HttpResponseMessage? Response { get; init; }

    public Exception? Error { get; init; }

    /// <summary>What the node asks for; null when it does not say.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>On a redirect: the base URL of the leader that it points to.</summary>
    public string Target { get; init; } = "";

    /// <summary>On a redirect: the leader's epoch; 0 when the node does not say.</summary>
    public long Epoch { get; init; }

    /// <summary>On a redirect: the node itself calls the target the leader, it is not the application that redirects.</summary>
    public bool NamedByNode { get; init; }

    /// <summary>The request may have been executed.</summary>
    public bool IsUnknown => Meaning is Meaning.OutcomeUnknown or Meaning.Broken or Meaning.TimedOut;
}
