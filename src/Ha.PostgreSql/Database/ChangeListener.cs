using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Ha.PostgreSql.Database;

/// <summary>
/// One connection that listens for all who wait. Opened when the first one does, opened again whenever it breaks, and given up
/// where notifications do not get through: members poll anyway. Thread-safe.
/// </summary>
/// <param name="open">Opens a connection that is this one's alone.</param>
/// <param name="notify">Sends a notification the way writers do.</param>
/// <param name="channel">A plain name.</param>
/// <param name="store">For the log.</param>
/// <param name="logger">Told once when it is given up.</param>
internal sealed class ChangeListener(
    Func<CancellationToken, Task<NpgsqlConnection>> open, Func<CancellationToken, Task> notify, string channel, string store, ILogger logger)
    : IAsyncDisposable
{
    private static readonly TimeSpan _firstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _longestPause = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _ending = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task? _running;
    private bool _ended;
    private bool _heard;

    /// <value>How long a notification may take before LISTEN counts as lost. Default 3 s.</value>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>True once it was given up.</summary>
    public bool GivenUp { get; private set; }

    public Task WaitAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_ended, this);
            _running ??= Task.Run(RunAsync, CancellationToken.None);
            return _next.Task.WaitAsync(cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Task? running;
        lock (_lock)
        {
            running = _running;
            _ended = true;
        }

        await _ending.CancelAsync();
        await (running ?? Task.CompletedTask);
        _next.TrySetException(new ObjectDisposedException(nameof(PostgreSqlLeaseStore)));
        _ = _next.Task.Exception;
    }

    private async Task RunAsync()
    {
        var pause = _firstPause;
        while (!_ending.IsCancellationRequested)
        {
            try
            {
                await using var connection = await open(_ending.Token);
                connection.Notification += (_, _) => Wake();
                if (!await BeginsAsync(connection))
                {
                    GiveUp("a notification sent to itself did not arrive, as behind a pooler in transaction mode");
                    return;
                }

                pause = _firstPause;
                // Nobody knows what happened before.
                Wake();
                await ListenAsync(connection);
            }
            catch (Exception e) when (!_ending.IsCancellationRequested && LeaseErrors.KnowsNoListen(e))
            {
                GiveUp(e.Message);
                return;
            }
            catch (Exception e) when (!_ending.IsCancellationRequested)
            {
                logger.ListenBroke(store, e.Message);
            }
            catch (Exception)
            {
                return;
            }

            var jitter = RandomNumberGenerator.GetInt32(50, 101) / 100.0;
            await Task.Delay(pause * jitter, _ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = pause * 2 < _longestPause ? pause * 2 : _longestPause;
        }
    }

    /// <summary>
    /// Listens, and has a notification sent over another connection while this one rests. One that was sent over this
    /// connection would come back even where a pooler has lent it to us for that statement only.
    /// </summary>
    private async Task<bool> BeginsAsync(NpgsqlConnection connection)
    {
        await ExecuteAsync(connection, $"LISTEN {channel}");
        _heard = false;
        await notify(_ending.Token);
        // Another message than ours may come first.
        while (!_heard && await connection.WaitAsync(Patience, _ending.Token))
        {
        }

        if (_heard)
        {
            return true;
        }

        // A server that stood still meanwhile answers with what it owes us, or not at all.
        await ExecuteAsync(connection, "SELECT 1");
        if (!_heard)
        {
            await ExecuteAsync(connection, $"UNLISTEN {channel}");
        }

        return _heard;
    }

    private async Task ListenAsync(NpgsqlConnection connection)
    {
        while (!_ending.IsCancellationRequested)
        {
            await connection.WaitAsync(_ending.Token);
        }
    }

    private async Task ExecuteAsync(NpgsqlConnection connection, string statement)
    {
        await using var command = new NpgsqlCommand(statement, connection);
        await command.ExecuteNonQueryAsync(_ending.Token);
    }

    private void GiveUp(string why)
    {
        GivenUp = true;
        logger.ListenImpossible(store, why);
    }

    private void Wake()
    {
        _heard = true;
        TaskCompletionSource woken;
        lock (_lock)
        {
            woken = _next;
            _next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        woken.TrySetResult();
    }
}
