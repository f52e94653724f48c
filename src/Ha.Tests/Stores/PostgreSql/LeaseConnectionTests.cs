using Ha.PostgreSql;
using Ha.PostgreSql.Database;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Ha.Tests.Stores.PostgreSql;

/// <summary>What <c>BASE_LEASE_STORE=postgres:…</c> may say, and that nothing shows a secret.</summary>
public sealed class LeaseConnectionTests
{
    private const string Secret = "t0p-secret";

    [Theory]
    [InlineData("Host=db;Database=shop;Username=u;Password=" + Secret)]
    [InlineData("Shop")]
    [InlineData(" Shop ")]
    public async Task A_connection_string_or_its_name_makes_a_store(string value)
    {
        await using var store = Create(value);
        Assert.Equal("PostgreSQL db:5432/shop, table public.ha_lease", store.Description);
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("Shopp", "ConnectionStrings__Shopp")]
    [InlineData("//u:" + Secret + "@db/shop", "is a URL")]
    [InlineData("postgresql://u:" + Secret + "@db/shop?sslmode=require", "is a URL")]
    [InlineData(Secret + "!", "names the connection string <name>")]
    [InlineData("Host=db;Password=a;" + Secret + "=x", "cannot be read")]
    [InlineData("Host=db;Password=a;" + Secret, "cannot be read")]
    [InlineData("Host=db;Port=" + Secret, "cannot be read")]
    [InlineData("Host=db;SSL Mode=" + Secret, "cannot be read")]
    [InlineData("Host=db;Target Session Attributes=" + Secret, "cannot be read")]
    [InlineData("Database=shop;Password=" + Secret, "names no server")]
    [InlineData("Host=a,b;Target Session Attributes=any;Password=" + Secret, "Target Session Attributes=any")]
    [InlineData("Host=a,b;Target Session Attributes=prefer-standby;Password=" + Secret, "takes no writes")]
    public void What_is_wrong_is_said_without_a_secret(string value, string said)
    {
        var e = Assert.Throws<OptionsValidationException>(() => Create(value));
        var problem = Assert.Single(e.Failures);
        Assert.StartsWith("BASE_LEASE_STORE=postgres: ", problem, StringComparison.Ordinal);
        Assert.EndsWith(".", problem, StringComparison.Ordinal);
        Assert.Contains(said, problem, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, e.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_without_a_configuration_says_so()
    {
        var options = new HaOptions();
        options.UsePostgreSql();
        var e = Assert.Throws<OptionsValidationException>(() => options.LeaseStores["POSTGRES"](new LeaseStoreContext("Shop", "c", LeaseRoom.Lease, null)));
        Assert.Contains("no configuration", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_connection_for_LISTEN_may_be_a_name_too_and_all_that_is_wrong_is_said_at_once()
    {
        var e = Assert.Throws<OptionsValidationException>(() => Create("Other", o => o.ListenConnectionString = "Direct"));
        Assert.Collection(
            e.Failures,
            first => Assert.StartsWith("ConnectionStrings:Other (from BASE_LEASE_STORE=postgres:) names no server", first, StringComparison.Ordinal),
            second => Assert.StartsWith(
                "PostgreSqlLeaseOptions.ListenConnectionString names the connection string Direct", second, StringComparison.Ordinal));
    }

    [Fact]
    public void The_name_of_a_table_is_told_likewise() =>
        Assert.Throws<OptionsValidationException>(() => Create("Shop", o => o.Table = "a b"));

    [Fact]
    public async Task A_server_that_is_away_is_named_without_a_secret()
    {
        await using var store = Create("Host=127.0.0.1;Port=1;Database=shop;Username=u;Password=" + Secret);
        var e = await Assert.ThrowsAnyAsync<NpgsqlException>(() => store.ReadAsync(LeaseRoom.Member("a"), LeaseRoom.Soon()));
        Assert.Contains("127.0.0.1:1", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, e.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Timeouts_fit_the_lease_unless_somebody_chose_others()
    {
        var plain = LeaseConnection.ForLease("Host=db;Maximum Pool Size=100;Minimum Pool Size=10;Multiplexing=true;Max Auto Prepare=9", LeaseRoom.Lease);
        Assert.Equal((2, -1, "ha-lease", 3, 0), (plain.Timeout, plain.CancellationTimeout, plain.ApplicationName, plain.MaxPoolSize, plain.MinPoolSize));
        Assert.Equal((false, true, 0, true), (plain.Multiplexing, plain.NoResetOnClose, plain.MaxAutoPrepare, plain.TcpKeepAlive));
        Assert.Null(plain.TargetSessionAttributes);

        var chosen = LeaseConnection.ForLease(
            "Server=db,other;Timeout=7;Cancellation Timeout=9;ApplicationName=shop;Target Session Attributes=primary", LeaseRoom.Lease);
        Assert.Equal((7, 9, "shop", "primary"), (chosen.Timeout, chosen.CancellationTimeout, chosen.ApplicationName, chosen.TargetSessionAttributes));

        // Those of statements are the store's, of which only LISTEN asks the connection string.
        Assert.Equal(2, LeaseConnection.ForListening("Host=db;Command Timeout=8", LeaseRoom.Lease).CommandTimeout);
        Assert.Equal("read-write", LeaseConnection.ForLease("Host=a,b", LeaseRoom.Lease).TargetSessionAttributes);
        Assert.Equal("PostgreSQL a:5432,b:5433/shop", LeaseConnection.Describe("Host=a,b:5433;Database=shop;Password=" + Secret));
    }

    private static PostgreSqlLeaseStore Create(string value, Action<PostgreSqlLeaseOptions>? configure = null)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["ConnectionStrings:Shop"] = $"Host=db;Database=shop;Username=u;Password={Secret}",
            ["ConnectionStrings:Other"] = $"Database=shop;Password={Secret}",
        }).Build();
        using var services = new ServiceCollection().AddSingleton<IConfiguration>(configuration).BuildServiceProvider();
        var options = new HaOptions();
        options.UsePostgreSql(configure);
        return (PostgreSqlLeaseStore)options.LeaseStores["postgres"](new LeaseStoreContext(value, "c", LeaseRoom.Lease, services));
    }
}
