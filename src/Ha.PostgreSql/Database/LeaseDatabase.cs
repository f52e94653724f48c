using Npgsql;

namespace Ha.PostgreSql.Database;

/// <summary>
/// Runs calls on connections, none longer than its caller waits: what does not answer is left behind, together with all
/// connections of its time, and the next call begins with a new one. Thread-safe.
/// </summary>
internal sealed class LeaseDatabase : IAsyncDisposable, IDisposable
{
    private readonly Lock _lock = new();
    private readonly Func<NpgsqlDataSource>? _make;
    private NpgsqlDataSource _current;
    private bool _ended;

    /// <param name="make">Makes a source that is ours.</param>
    public LeaseDatabase(Func<NpgsqlDataSource> make) => (_make, _current) = (make, make());

    /// <param name="foreign">Stays its owner's.</param>
    public LeaseDatabase(NpgsqlDataSource foreign) => _current = foreign;

    /// <summary>
    /// A source of connections to read and write by. It says nothing to logs and traces: calls come several times a second.
    /// </summary>
    /// <param name="settings">Of its connections.</param>
    /// <param name="name">For Npgsql's metrics.</param>
    public static NpgsqlDataSource Source(NpgsqlConnectionStringBuilder settings, string name = "ha-lease")
    {
        var builder = new NpgsqlDataSourceBuilder(settings.ConnectionString) { Name = name };
        builder.ConfigureTracing(tracing => tracing.ConfigureCommandFilter(_ => false).EnablePhysicalOpenTracing(false));
        // Built-in types need no look-up.
        builder.ConfigureTypeLoading(types => types.EnableTypeLoading(false));
        return builder.Build();
    }

    /// <summary>Of a source with several servers: those that take writes, where nobody has chosen yet.</summary>
    /// <exception cref="ArgumentException">Somebody chose others.</exception>
    public static NpgsqlDataSource Writable(NpgsqlDataSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return LeaseConnection.RequireWritable(new NpgsqlConnectionStringBuilder(source.ConnectionString))
            && source is NpgsqlMultiHostDataSource several
            ? several.WithTargetSession(TargetSessionAttributes.ReadWrite)
            : source;
    }

    /// <exception cref="OperationCanceledException">
    /// <paramref name="cancellationToken"/> fired; what was asked may still happen.
    /// </exception>
    public async Task<T> RunAsync<T>(Func<NpgsqlConnection, CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        NpgsqlDataSource source;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_ended, this);
            source = _current;
        }

        // Not disposed: the call may outlive this method.
        var abandoned = new CancellationTokenSource();
        var running = OnConnectionAsync(source, call, abandoned.Token);
        // Npgsql connects to the server to ask for an end, and blocks the thread that cancels.
        using var giveUp = cancellationToken.UnsafeRegister(
            static source => _ = ((CancellationTokenSource)source!).CancelAsync(), abandoned);
        try
        {
            var answer = await running.WaitAsync(cancellationToken);
            // A commit that waits for a synchronous replica says yes when it is told to end, whether the replica has it or not.
            cancellationToken.ThrowIfCancellationRequested();
            return answer;
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            Replace(source);
            _ = running.ContinueWith(
                static t => t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            throw new OperationCanceledException(cancellationToken);
        }
        catch (NpgsqlException e) when (LeaseErrors.EndsConnections(e))
        {
            Replace(source);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Ends() && _make is not null)
        {
            await _current.DisposeAsync();
        }
    }

    public void Dispose()
    {
        if (Ends() && _make is not null)
        {
            _current.Dispose();
        }
    }

    private static async Task<T> OnConnectionAsync<T>(
        NpgsqlDataSource source, Func<NpgsqlConnection, CancellationToken, Task<T>> call, CancellationToken abandoned)
    {
        await using var connection = await source.OpenConnectionAsync(abandoned);
        return await call(connection, abandoned);
    }

    /// <returns>False: it has ended before.</returns>
    private bool Ends()
    {
        lock (_lock)
        {
            return !_ended && (_ended = true);
        }
    }

    /// <summary>Idle connections close now, busy ones when they come back.</summary>
    private void Replace(NpgsqlDataSource failed)
    {
        lock (_lock)
        {
            if (_make is null || _ended || !ReferenceEquals(failed, _current))
            {
                return;
            }

            _current = _make();
        }

        _ = Task.Run(async () => await failed.DisposeAsync());
    }
}
