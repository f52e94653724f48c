using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Ha.Tests.EfCore;

internal static class FencedSaving
{
    /// <summary>Saves in one transaction that commits only under the newest epoch the database has seen.</summary>
    public static Task SaveFencedAsync(this DbContext db, HttpContext http) =>
        db.Database.CreateExecutionStrategy().ExecuteAsync(() => SaveOnceAsync(db, http));

    /// <summary>Closes the fence to all epochs below and says which was the highest so far.</summary>
    public static Task<long> RaiseFenceAsync(this DbContext db, long epoch, CancellationToken cancellation) =>
        db.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync(cancellation);
            var before = await db.Database.SqlQuery<long>($"SELECT epoch FROM fence FOR UPDATE").ToListAsync(cancellation);
            await db.Database.ExecuteSqlAsync($"UPDATE fence SET epoch = {epoch} WHERE epoch < {epoch}", cancellation);
            await transaction.CommitAsync(cancellation);
            return before.Single();
        });

    private static async Task SaveOnceAsync(DbContext db, HttpContext http)
    {
        var leader = http.RequestServices.GetRequiredService<ILeaderProvider>();
        var admitted = http.Features.Get<IHaFeature>();
        var epoch = admitted?.Epoch ?? 0;
        var committing = false;
        await using var transaction = await db.Database.BeginTransactionAsync(http.RequestAborted);
        try
        {
            // Lets this epoch in only if no later one was here, and locks every other out until the commit.
            if (await db.Database.ExecuteSqlAsync($"UPDATE fence SET epoch = {epoch} WHERE epoch <= {epoch}", http.RequestAborted) == 0)
            {
                throw new NotLeaderException { LeaderUrl = leader.RedirectTarget };
            }

            await db.SaveChangesAsync(acceptAllChangesOnSuccess: false, http.RequestAborted);
            admitted?.EnsureStillLeader();
            committing = true;
            await transaction.CommitAsync(CancellationToken.None);
        }
        catch (Exception e) when (e.GetBaseException() is PostgresException { SqlState: "25P03" })
        {
            // This process stood still for so long that the server has rolled the transaction back.
            throw new NotLeaderException(e) { LeaderUrl = leader.RedirectTarget };
        }
        catch (NpgsqlException e) when (committing)
        {
            throw new OutcomeUnknownException("The connection to the database broke during the commit.", e);
        }

        db.ChangeTracker.AcceptAllChanges();
    }
}
