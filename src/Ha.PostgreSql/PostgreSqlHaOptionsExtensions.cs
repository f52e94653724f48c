using Ha;
using Ha.PostgreSql;
using Ha.PostgreSql.Database;
using Ha.PostgreSql.Replicas;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Leases in PostgreSQL, and reads from its standbys.</summary>
public static class PostgreSqlHaOptionsExtensions
{
    private const string Scheme = "postgres";

    /// <summary>
    /// Makes <c>BASE_LEASE_STORE=postgres:…</c> work, with a connection string of Npgsql after the colon or the name of one in the
    /// configuration's <c>ConnectionStrings</c>. Nothing happens where that key says something else.
    /// </summary>
    /// <param name="options">What <c>AddHa</c> gives to its delegate.</param>
    /// <param name="configure">Changes the defaults; called once, when the store is made.</param>
    /// <returns><paramref name="options"/>.</returns>
    public static HaOptions UsePostgreSql(this HaOptions options, Action<PostgreSqlLeaseOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.LeaseStores[Scheme] = context => Create(context, configure);
        return options;
    }

    /// <summary>
    /// Lets reads on nodes that read from hot standbys see the writes before them (docs/consistency.md). Opens at most two connections
    /// of its own to each server.
    /// </summary>
    /// <param name="options">What <c>AddHa</c> gives to its delegate.</param>
    /// <param name="primary">
    /// What the leader writes to: a connection string of Npgsql, or the name of one in the configuration's <c>ConnectionStrings</c>. Of
    /// several hosts the one that takes writes is used.
    /// </param>
    /// <param name="replica">The one server that this node reads from while it does not lead, likewise; null: that is the primary.</param>
    /// <param name="configure">Changes bounds, and switches the cookie on; called once, when the node is made.</param>
    /// <returns><paramref name="options"/>. What is wrong with a connection string stops the start of an active node.</returns>
    public static HaOptions UsePostgreSqlReplicas(
        this HaOptions options, string primary, string? replica = null, Action<ReadConsistency>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(primary);
        options.Consistency = services =>
        {
            var find = Names(services);
            var wrong = new WrongSettings();
            var writes = Read(primary, nameof(primary), ReplicaConnection.Primary);
            var reads = replica is null ? null : Read(replica, nameof(replica), ReplicaConnection.Replica);
            wrong.ThrowIfAny();
            var positions = WalPositions.On(writes!, reads);
            configure?.Invoke(positions);
            return positions;

            NpgsqlConnectionStringBuilder? Read(string text, string parameter, Func<string, string, NpgsqlConnectionStringBuilder> read) =>
                wrong.Try(() =>
                {
                    var (value, source) = LeaseConnection.Resolve(text, $"{nameof(UsePostgreSqlReplicas)}: {parameter}", find);
                    return read(value, source);
                });
        };
        return options;
    }

    private static Func<string, string?>? Names(IServiceProvider? services) =>
        services?.GetService<IConfiguration>() is { } configuration ? name => configuration.GetConnectionString(name) : null;

    private static PostgreSqlLeaseStore Create(LeaseStoreContext context, Action<PostgreSqlLeaseOptions>? configure)
    {
        var options = new PostgreSqlLeaseOptions();
        configure?.Invoke(options);
        var find = Names(context.Services);
        var wrong = new WrongSettings();
        var connectionString = wrong.Try(() =>
        {
            var (value, source) = LeaseConnection.Resolve(context.Value, $"BASE_LEASE_STORE={Scheme}:", find);
            LeaseConnection.ForLease(value, context.Lease, source);
            return value;
        });
        if (options.ListenConnectionString is { } listen && !string.IsNullOrWhiteSpace(listen))
        {
            options.ListenConnectionString = wrong.Try(() =>
            {
                var (value, source) = LeaseConnection.Resolve(
                    listen, $"{nameof(PostgreSqlLeaseOptions)}.{nameof(PostgreSqlLeaseOptions.ListenConnectionString)}", find);
                LeaseConnection.ForListening(value, context.Lease, source);
                return value;
            });
        }

        wrong.ThrowIfAny();
        var logger = context.Services?.GetService<ILoggerFactory>()?.CreateLogger("Ha.PostgreSql");
        return WrongSettings.Checked(() => new PostgreSqlLeaseStore(connectionString!, context.ClusterId, context.Lease, options, logger));
    }
}
