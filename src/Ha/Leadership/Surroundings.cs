namespace Ha.Leadership;

/// <summary>
/// What an election takes from its process beside the clock. A cluster on virtual time gives it other chances and another place
/// for work, so that the same run goes the same way again.
/// </summary>
internal sealed record Surroundings
{
    public static Surroundings OfProcess { get; } = new();

    /// <summary>Source of identities, nonces and of the jitter of campaigns: 128 bits.</summary>
    public Func<Guid> NewRandom { get; init; } = ElectionSetup.NewRandom;

    /// <summary>Source of jitter, uniform in [0, 1).</summary>
    public Func<double> Jitter { get; init; } = Random.Shared.NextDouble;

    /// <summary>Where calls run that may block their caller: of a store, of the application's fence.</summary>
    public TaskScheduler Pool { get; init; } = TaskScheduler.Default;

    /// <summary>The writes that run on the node; null: counted anew.</summary>
    public WriteGate? Gate { get; init; }

    public Task<T> RunAsync<T>(Func<Task<T>> call) => StartAsync(call).Unwrap();

    public Task RunAsync(Func<Task> call) => StartAsync(call).Unwrap();

    private Task<TTask> StartAsync<TTask>(Func<TTask> call) =>
        Task.Factory.StartNew(call, CancellationToken.None, TaskCreationOptions.DenyChildAttach | TaskCreationOptions.HideScheduler, Pool);
}
