using Ha;
using Ha.PostgreSql;
using Ha.PostgreSql.Database;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Leases in PostgreSQL.</summary>
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

    private static PostgreSqlLeaseStore Create(LeaseStoreContext context, Action<PostgreSqlLeaseOptions>? configure)
    {
        var options = new PostgreSqlLeaseOptions();
        configure?.Invoke(options);
        var configuration = context.Services?.GetService<IConfiguration>();
        Func<string, string?>? find = configuration is null ? null : name => configuration.GetConnectionString(name);
        var connectionString = LeaseConnection.Resolve(context.Value, $"BASE_LEASE_STORE={Scheme}:", find);
        if (!string.IsNullOrWhiteSpace(options.ListenConnectionString))
        {
            options.ListenConnectionString =
                LeaseConnection.Resolve(options.ListenConnectionString, nameof(PostgreSqlLeaseOptions.ListenConnectionString), find);
        }

        var logger = context.Services?.GetService<ILoggerFactory>()?.CreateLogger("Ha.PostgreSql");
        return new PostgreSqlLeaseStore(connectionString, context.ClusterId, context.Lease, options, logger);
    }
}
