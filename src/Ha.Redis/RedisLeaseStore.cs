using Ha.Redis.Server;
using StackExchange.Redis;

namespace Ha.Redis;

/// <summary>
/// Arbitrates through Redis 5 or newer: a hash that one script compares and sets. Not safe without the application's fence
/// (<see cref="HaOptions.RaiseFence"/>): Redis copies to its replicas, and to its disk, after it has answered, so a failover or a crash can
/// undo a claim that was answered, and two members lead for up to a lease. Says so at length in <c>docs/stores/redis.md</c>.
/// Thread-safe; connects at the first call, and again by itself.
/// </summary>
/// <remarks>
/// Three keys, all in one slot of a cluster and none with an expiry: <c>KEY</c>, the record; <c>KEY:kept</c>, the same once more; and
/// <c>KEY:members</c>. Where the record was deleted, the second is shown under a version of its own: so the epoch is not lost, and a
/// holder that still leads is not mistaken for one that is gone. A channel <c>KEY:changed</c> wakes those who wait.
/// </remarks>
public sealed class RedisLeaseStore : ILeaseStore
{
    private readonly RedisConnection _connection;
    private readonly LeaseScript _script;

    /// <param name="configuration">
    /// A configuration of StackExchange.Redis (<c>redis-1:6379,redis-2:6379,user=ha,password=…,ssl=true</c>), and after a slash at its end
    /// the key. Default key: <c>ha:{CLUSTER}</c>. A user or password that holds a slash stands before another option, not last.
    /// </param>
    /// <param name="clusterId">Several clusters may share one Redis.</param>
    /// <param name="lease">The lease timeout. What <paramref name="configuration"/> does not say about timeouts follows from it.</param>
    /// <param name="configure">Adds what a text cannot say.</param>
    /// <exception cref="ArgumentException">The configuration cannot be read; the message does not repeat it.</exception>
    public RedisLeaseStore(string configuration, string clusterId, TimeSpan lease, Action<ConfigurationOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentException.ThrowIfNullOrEmpty(clusterId);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(lease, TimeSpan.Zero);
        var parsed = RedisLeaseConfiguration.Parse(configuration, clusterId, lease, configure);
        Description = $"Redis {parsed.Where}, key {parsed.Key}";
        _connection = new RedisConnection(parsed);
        _script = new LeaseScript(parsed.Key, lease);
    }

    /// <inheritdoc />
    public string Description { get; }

    /// <inheritdoc />
    public Task<LeaseAnswer> ReadAsync(LeaseMember self, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(self);
        return _connection.RunAsync(database => _script.ReadAsync(database, self), cancellationToken);
    }

    /// <inheritdoc />
    public Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        ArgumentNullException.ThrowIfNull(self);
        return _connection.RunAsync(database => _script.WriteAsync(database, record, expected, self), cancellationToken);
    }

    /// <inheritdoc />
    public Task WaitForChangeAsync(CancellationToken cancellationToken) => _connection.WaitForMessageAsync(cancellationToken);

    /// <inheritdoc />
    public Task LeaveAsync(LeaseMember self, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(self);
        return _connection.RunAsync(database => _script.LeaveAsync(database, self), cancellationToken);
    }

    /// <inheritdoc />
    public ValueTask DisposeAsync() => _connection.DisposeAsync();
}
