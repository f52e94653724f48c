namespace Ha.Tests.Processes;

/// <summary>
/// An application's client with leader routing that goes through kills and restarts: a token on all it sends, keys on its
/// writes, and a read all the time beside them.
/// </summary>
internal interface IRolledClient : IAsyncDisposable
{
    /// <summary>What reads that failed were told.</summary>
    IReadOnlyCollection<string> FailedReads { get; }

    /// <summary>How many reads each node answered.</summary>
    IReadOnlyDictionary<string, int> ReadsByNode { get; }

    int RequestsWithToken { get; }

    /// <summary>Where the token went and should not have gone.</summary>
    IReadOnlyCollection<string> Leaks { get; }

    Task<NodeAnswer> AddAsync(string text);

    /// <summary>Ends the reads; after it, what they and the token met is complete.</summary>
    Task StopAsync();
}
