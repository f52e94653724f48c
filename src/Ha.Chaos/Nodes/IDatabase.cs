namespace Ha.Chaos.Nodes;

/// <summary>The database behind the nodes, which has faults of its own.</summary>
internal interface IDatabase : IAsyncDisposable
{
    /// <summary>As the nodes reach it.</summary>
    string ConnectionString { get; }

    /// <summary>Keeps every writer out until the result is disposed.</summary>
    Task<IAsyncDisposable> BlockWritersAsync(CancellationToken cancellationToken);

    /// <summary>Gives back room that writes could use while the disk is full.</summary>
    Task FlushAsync(CancellationToken cancellationToken);

    /// <summary>Crashes the server, if there is one, and starts it again after a time.</summary>
    Task RestartAsync(TimeSpan after, CancellationToken cancellationToken);

    /// <summary>Starts a server that ended by itself, as an operator would after a full disk.</summary>
    Task RepairAsync();
}
