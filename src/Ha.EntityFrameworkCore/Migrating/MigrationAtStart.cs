using Ha.EntityFrameworkCore.Fencing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ha.EntityFrameworkCore.Migrating;

/// <summary>Tells the services of <c>AddHaMigrations</c> from others.</summary>
internal interface IMigrationAtStart;

/// <summary>Migrates before the server listens and before any other service starts.</summary>
internal sealed class MigrationAtStart<TContext>(IServiceScopeFactory scopes, ILogger<MigrationAtStart<TContext>> logger, TimeProvider? clock = null)
    : IHostedLifecycleService, IMigrationAtStart
    where TContext : DbContext
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    private readonly TimeProvider _clock = clock ?? TimeProvider.System;

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        var name = typeof(TContext).Name;
        try
        {
            using var exempt = HaFenceExemption.Begin();
            await MigrateAsync(cancellationToken);
        }
        catch (Exception failure) when (failure is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            throw new InvalidOperationException($"The migrations of {name} failed, so this node does not start: {failure.Message}", failure);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task MigrateAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        await using var found = await FoundContext<TContext>.FindAsync(scope.ServiceProvider, "AddHaMigrations", cancellationToken);
        var database = found.Context.Database;
        using var timer = _clock.CreateTimer(
            _ => logger.StillMigrating(typeof(TContext).Name, _patience), state: null, _patience, _patience);

        await CreateDatabaseAsync(database, cancellationToken);
        await using var turn = await MigrationTurn<TContext>.TakeAsync(scopes, _clock, cancellationToken);
        var pending = (await database.GetPendingMigrationsAsync(cancellationToken)).ToList();
        await database.MigrateAsync(cancellationToken);
        if (pending.Count > 0)
        {
            logger.Migrated(typeof(TContext).Name, pending.Count, pending[^1]);
        }
    }

    /// <summary>Several nodes may find that there is none and make it at the same time; only one can.</summary>
    private static async Task CreateDatabaseAsync(DatabaseFacade database, CancellationToken cancellationToken)
    {
        var creator = database.GetService<IRelationalDatabaseCreator>();
        if (await creator.ExistsAsync(cancellationToken))
        {
            return;
        }

        try
        {
            await creator.CreateAsync(cancellationToken);
        }
        catch (System.Data.Common.DbException)
        {
            if (!await creator.ExistsAsync(cancellationToken))
            {
                throw;
            }
        }
    }
}
