using System.Data.Common;
using Ha;

namespace MinimalApiApp.Notes;

/// <summary>
/// A job that must run once in the whole cluster: appends a row to <c>heartbeats</c> every second, through the same
/// fence as every other write, and clears away what nobody needs any more.
/// </summary>
internal sealed class HeartbeatJob(NotesDatabase database, ILeaderProvider leader, TimeProvider clock, ILogger<HeartbeatJob> logger)
    : LeaderBackgroundService(leader, logger)
{
    private const int KeptRows = 1000;
    private static readonly TimeSpan _every = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsLeaderAsync(LeadershipSnapshot leadership, CancellationToken cancellationToken)
    {
        // The first beat leaves the way to the writes that have waited for this leader.
        using var timer = new PeriodicTimer(_every, clock);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            try
            {
                await database.WriteAsync(BeatAsync, cancellationToken);
            }
            catch (DbException e) when (database.Sql.IsBusy(e))
            {
                // Another process holds the database; the next beat comes soon.
            }
        }
    }

    private async Task<long> BeatAsync(FencedTransaction transaction)
    {
        var now = clock.GetUtcNow();
        var id = await transaction.InsertAsync(
            "INSERT INTO heartbeats (at, node, epoch) VALUES (@at, @node, @epoch) RETURNING id", ("at", now.ToUnixTimeMilliseconds()));
        await transaction.ExecuteAsync("DELETE FROM heartbeats WHERE id <= @old", ("old", id - KeptRows));
        await transaction.ExecuteAsync("DELETE FROM answers WHERE at < @old", ("old", (now - IdempotentWrites.Retention).ToUnixTimeMilliseconds()));
        return id;
    }
}
