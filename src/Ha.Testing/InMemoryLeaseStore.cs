namespace Ha.Testing;

/// <summary>
/// A store in this process's memory: several nodes in one test, without a server. Each node gets a client of its own:
/// <code>
/// await using var store = new InMemoryLeaseStore();
/// services.AddHa(o =>
/// {
///     o.LeaseStore = "memory:";
///     o.LeaseStores["memory"] = context => store.Connect(context.ClusterId);
/// });
/// </code>
/// Thread-safe; calls end at once.
/// </summary>
public sealed class InMemoryLeaseStore : ILeaseStore
{
    private readonly State _state;
    private readonly string _clusterId;
    private readonly CancellationTokenSource _disposed = new();

    /// <summary>A new, empty store, as a client of its cluster <c>default</c>.</summary>
    /// <param name="timeProvider">Tells the ages. Default: the system's.</param>
    public InMemoryLeaseStore(TimeProvider? timeProvider = null)
        : this(new State(timeProvider ?? TimeProvider.System), "default")
    {
    }

    private InMemoryLeaseStore(State state, string clusterId) => (_state, _clusterId) = (state, clusterId);

    /// <inheritdoc />
    public string Description => $"memory of this process, cluster {_clusterId}";

    /// <value>True: every call of every client fails, as when a real store is away. Default false.</value>
    public bool IsAway
    {
        get => _state.IsAway;
        set => _state.IsAway = value;
    }

    /// <summary>Another client of the same store.</summary>
    /// <param name="clusterId">The cluster that it works for; null: the same.</param>
    public InMemoryLeaseStore Connect(string? clusterId = null) => new(_state, clusterId ?? _clusterId);

    /// <summary>Deletes the cluster's record, as somebody could do by hand in a real store.</summary>
    public void DeleteRecord() => _state.Delete(_clusterId);

    /// <inheritdoc />
    public Task<LeaseAnswer> ReadAsync(LeaseMember self, CancellationToken cancellationToken) =>
        Run(() => _state.Read(_clusterId, self), cancellationToken);

    /// <inheritdoc />
    public Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken) =>
        Run(() => _state.Write(_clusterId, record, expected, self), cancellationToken);

    /// <inheritdoc />
    public async Task WaitForChangeAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed.IsCancellationRequested, this);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposed.Token);
        await _state.Changed(_clusterId).WaitAsync(end.Token);
    }

    /// <inheritdoc />
    public Task LeaveAsync(LeaseMember self, CancellationToken cancellationToken) => Run(() => _state.Leave(_clusterId, self), cancellationToken);

    /// <summary>Ends this client; the store stays for the others.</summary>
    public async ValueTask DisposeAsync() => await _disposed.CancelAsync();

    private Task<T> Run<T>(Func<T> call, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled<T>(cancellationToken);
        }

        return _disposed.IsCancellationRequested
            ? Task.FromException<T>(new ObjectDisposedException(GetType().FullName))
            : _state.IsAway ? Task.FromException<T>(new IOException("The store is away.")) : Task.FromResult(call());
    }

    private sealed class State(TimeProvider time)
    {
        private readonly Lock _lock = new();
        private readonly Dictionary<string, Cluster> _clusters = new(StringComparer.Ordinal);
        private volatile bool _isAway;

        public bool IsAway
        {
            get => _isAway;
            set => _isAway = value;
        }

        public LeaseAnswer Read(string clusterId, LeaseMember self)
        {
            lock (_lock)
            {
                return AnswerNeedsLock(ClusterNeedsLock(clusterId), self, written: false);
            }
        }

        public LeaseAnswer Write(string clusterId, LeaseRecord record, string? expected, LeaseMember self)
        {
            TaskCompletionSource? changed = null;
            LeaseAnswer answer;
            lock (_lock)
            {
                var cluster = ClusterNeedsLock(clusterId);
                if (cluster.Version == expected)
                {
                    (cluster.Record, cluster.Version, cluster.WrittenAt) = (record, Guid.NewGuid().ToString("N"), time.GetTimestamp());
                    (changed, cluster.Changed) = (cluster.Changed, NewSource());
                }

                answer = AnswerNeedsLock(cluster, self, written: changed is not null);
            }

            changed?.SetResult();
            return answer;
        }

        public void Delete(string clusterId)
        {
            lock (_lock)
            {
                var cluster = ClusterNeedsLock(clusterId);
                (cluster.Record, cluster.Version) = (null, null);
            }
        }

        public Task Changed(string clusterId)
        {
            lock (_lock)
            {
                return ClusterNeedsLock(clusterId).Changed.Task;
            }
        }

        public bool Leave(string clusterId, LeaseMember self)
        {
            lock (_lock)
            {
                return ClusterNeedsLock(clusterId).Members.Remove((self.NodeId, self.Incarnation));
            }
        }

        private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

        private Cluster ClusterNeedsLock(string clusterId)
        {
            if (!_clusters.TryGetValue(clusterId, out var cluster))
            {
                _clusters[clusterId] = cluster = new Cluster { Changed = NewSource() };
            }

            return cluster;
        }

        private LeaseAnswer AnswerNeedsLock(Cluster cluster, LeaseMember self, bool written)
        {
            cluster.Members[(self.NodeId, self.Incarnation)] = (self, time.GetTimestamp());
            return new LeaseAnswer
            {
                Written = written,
                Record = cluster.Record,
                Version = cluster.Version,
                Age = cluster.Record is null ? null : time.GetElapsedTime(cluster.WrittenAt),
                Members = [.. cluster.Members.Values.Select(seen => seen.Member with { Age = time.GetElapsedTime(seen.At) })],
            };
        }

        private sealed class Cluster
        {
            public LeaseRecord? Record { get; set; }

            public string? Version { get; set; }

            public long WrittenAt { get; set; }

            public required TaskCompletionSource Changed { get; set; }

            public Dictionary<(string NodeId, string Incarnation), (LeaseMember Member, long At)> Members { get; } = [];
        }
    }
}
