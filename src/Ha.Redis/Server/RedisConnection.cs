using StackExchange.Redis;

namespace Ha.Redis.Server;

/// <summary>
/// A multiplexer of our own and the one subscription on it. Connected at the first call; what breaks it mends itself. While it is
/// broken every call fails at once.
/// </summary>
internal sealed class RedisConnection(RedisLeaseConfiguration configuration) : IAsyncDisposable
{
    private static readonly TimeSpan _longestEnd = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _disposed = new();
    private Task<ConnectionMultiplexer>? _connected;
    private TaskCompletionSource _message = NewSource();
    private Task _subscribed = Task.CompletedTask;
    private bool _isSubscribed;
    private int _looking;

    /// <summary>Runs one call on the primary.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message says what to do.</exception>
    public async Task<T> RunAsync<T>(Func<IDatabase, Task<T>> call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ObjectDisposedException.ThrowIf(_disposed.IsCancellationRequested, this);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposed.Token);
        ConnectionMultiplexer? redis = null;
        try
        {
            redis = await ConnectAsync().WaitAsync(end.Token);
            return await Observed(call(redis.GetDatabase())).WaitAsync(end.Token);
        }
        catch (Exception e) when (e is RedisException or RedisTimeoutException)
        {
            LookForPrimary(redis, e);
            throw RedisTrouble.Explain(e, configuration.Where, redis);
        }
    }

    /// <summary>Waits for the next message, or for a new connection: who knows what was missed.</summary>
    public async Task WaitForMessageAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ObjectDisposedException.ThrowIf(_disposed.IsCancellationRequested, this);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposed.Token);
        Task message;
        lock (_lock)
        {
            message = _message.Task;
        }

        Subscribe(await ConnectAsync().WaitAsync(end.Token));
        await message.WaitAsync(end.Token);
    }

    public async ValueTask DisposeAsync()
    {
        Task<ConnectionMultiplexer>? connected;
        lock (_lock)
        {
            if (_disposed.IsCancellationRequested)
            {
                return;
            }

            _disposed.Cancel();
            connected = _connected;
        }

        if (connected is not null)
        {
            // A server that does not answer is not waited for.
            await EndAsync(connected).WaitAsync(_longestEnd).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static async Task EndAsync(Task<ConnectionMultiplexer> connected) =>
        await (await connected).CloseAsync(allowCommandsToComplete: false);

    /// <summary>A call that nobody waits for any more may fail without anybody's notice.</summary>
    private static Task<T> Observed<T>(Task<T> call)
    {
        _ = call.ContinueWith(
            static ended => _ = ended.Exception,
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        return call;
    }

    private Task<ConnectionMultiplexer> ConnectAsync()
    {
        lock (_lock)
        {
            return _connected is { IsFaulted: false, IsCanceled: false } ? _connected : _connected = Observed(Task.Run(OpenAsync));
        }
    }

    private async Task<ConnectionMultiplexer> OpenAsync()
    {
        var redis = await ConnectionMultiplexer.ConnectAsync(configuration.Options);
        redis.ConnectionRestored += (_, _) => Wake();
        return redis;
    }

    /// <summary>Once; a subscription that was made comes back by itself. Where the user may not subscribe, members poll.</summary>
    private void Subscribe(ConnectionMultiplexer redis)
    {
        lock (_lock)
        {
            if (!_isSubscribed && _subscribed.IsCompleted)
            {
                _subscribed = Observed(SubscribeAsync(redis));
            }
        }
    }

    private async Task<bool> SubscribeAsync(ConnectionMultiplexer redis)
    {
        await redis.GetSubscriber().SubscribeAsync(RedisChannel.Literal(configuration.Channel), (_, _) => Wake());
        lock (_lock)
        {
            return _isSubscribed = true;
        }
    }

    private void Wake()
    {
        TaskCompletionSource message;
        lock (_lock)
        {
            (message, _message) = (_message, NewSource());
        }

        message.SetResult();
    }

    /// <summary>Roles have changed: asks all servers at once who is the primary now, one question at a time.</summary>
    private void LookForPrimary(ConnectionMultiplexer? redis, Exception e)
    {
        if (redis is not null && RedisTrouble.IsReplica(e, redis) && Interlocked.Exchange(ref _looking, 1) == 0)
        {
            _ = Observed(redis.ConfigureAsync()).ContinueWith(_ => Interlocked.Exchange(ref _looking, 0), TaskScheduler.Default);
        }
    }
}
