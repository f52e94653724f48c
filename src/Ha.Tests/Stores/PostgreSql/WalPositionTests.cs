using System.Net;
using Ha.Cli.Processes;
using Ha.Consistency;
using Ha.PostgreSql.Replicas;
using Ha.Tests.Http;
using Ha.Tests.Support;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Ha.Tests.Stores.PostgreSql;

/// <summary>Positions of a real primary and its hot standby.</summary>
[Collection(LeaseServerTests.Name)]
public sealed class WalPositionTests(PostgresServer server)
{
    private const long Page = 8192;
    private const long Segment = 16 << 20;

    // The last record ends with a page, and nothing comes after it that would take an idle standby across.
    private const string UntilEndOfPage = """
        DO $$
        DECLARE room int;
        BEGIN
            FOR i IN 1..20000 LOOP
                room := 8192 - (pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint % 8192);
                EXIT WHEN room = 8192 - 24;
                PERFORM pg_logical_emit_message(
                    false, 'x', repeat('x', CASE WHEN room BETWEEN 200 AND 400 THEN room - 60 + (i % 64) ELSE 100 END));
            END LOOP;
        END $$;
        """;

    [Theory]
    [InlineData(5 * Page + 24, 5 * Page)]
    [InlineData(5 * Page + 32, 5 * Page + 32)]
    [InlineData(5 * Page + 40, 5 * Page + 40)]
    [InlineData(5 * Page, 5 * Page)]
    [InlineData(3 * Segment + 40, 3 * Segment)]
    [InlineData(3 * Segment + 24, 3 * Segment + 24)]
    [InlineData(3 * Segment + Page + 24, 3 * Segment + Page)]
    public void Nothing_ends_in_the_header_of_a_page(long next, long end) => Assert.Equal(end, WalPositions.EndOfLast(next, Page, Segment));

    [FactIfPostgres]
    public async Task A_standby_reaches_every_position_that_the_primary_gave_out()
    {
        var replica = await server.NewReplicaAsync();
        try
        {
            var primary = server.ConnectionString("postgres");
            using var positions = WalPositions.On(primary, replica.ConnectionString("postgres"));
            using var alone = WalPositions.On(primary, replica: null);

            await PostgresServer.RunAsync(primary, "DROP TABLE IF EXISTS seen; CREATE TABLE seen (id int); SELECT 1");
            await Eventually.True(async () =>
            {
                await PostgresServer.RunAsync(primary, UntilEndOfPage);
                var written = await positions.ReadWritten(default);
                await Eventually.True(async () => await positions.ReadReached(default) >= written);
                return written % Page == 0;
            });
            foreach (var id in Enumerable.Range(1, 20))
            {
                await PostgresServer.RunAsync(primary, $"INSERT INTO seen VALUES ({id})");
                var written = await positions.ReadWritten(default);
                await Eventually.True(async () => await positions.ReadReached(default) >= written);
                var seen = await PostgresServer.RunAsync(replica.ConnectionString("postgres"), "SELECT max(id) FROM seen");
                Assert.Equal(id, Assert.IsType<int>(seen));
                Assert.True(await alone.ReadReached(default) >= written);
            }

            await Assert.ThrowsAsync<PostgresException>(async () =>
            {
                using var wrong = WalPositions.On(replica.ConnectionString("postgres"), replica: null);
                await wrong.ReadWritten(default);
            });
        }
        finally
        {
            await replica.DisposeAsync();
        }
    }

    [FactIfPostgres]
    public async Task A_primary_of_several_is_found_behind_a_host_that_has_vanished()
    {
        using var hole = await BlackHole.OpenAsync(IPAddress.Loopback);
        var there = new NpgsqlConnectionStringBuilder(server.ConnectionString("postgres"));
        there.Host = $"{hole.Address},{there.Host}:{there.Port}";
        using var positions = WalPositions.On(there.ConnectionString, replica: null);
        using var limit = new CancellationTokenSource(SharedRead.Limit);

        Assert.True(await positions.ReadWritten(limit.Token) > 0);
    }

    [FactIfPostgres]
    public async Task A_session_that_stands_still_holds_up_nobody_and_the_next_read_has_another()
    {
        var name = $"positions-{Guid.NewGuid():N}";
        using var positions = WalPositions.On(server.ConnectionString("postgres") + $";Application Name={name}", replica: null);
        await positions.ReadReached(default);
        var session = Assert.IsType<int>(await PostgresServer.RunAsync(
            server.ConnectionString("postgres"), $"SELECT pid FROM pg_stat_activity WHERE application_name = '{name}'"));
        Assert.True(Posix.Signal(session, Posix.SigStop));
        try
        {
            using var limit = new CancellationTokenSource();
            var read = positions.ReadReached(limit.Token).AsTask();
            limit.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.WaitAsync(TimeSpan.FromSeconds(1)));

            Assert.True(await positions.ReadReached(default).AsTask().WaitAsync(TimeSpan.FromSeconds(10)) > 0);
        }
        finally
        {
            Posix.Signal(session, Posix.SigCont);
        }
    }

    [Fact]
    public void Connections_suit_one_short_look_whatever_the_application_chose_for_itself()
    {
        var plain = ReplicaConnection.Primary("Host=a");
        Assert.Equal((2, 2, 0, -1), (plain.Timeout, plain.MaxPoolSize, plain.MinPoolSize, plain.CancellationTimeout));
        Assert.Equal(("ha-positions", true, 1), (plain.ApplicationName, plain.TcpKeepAlive, plain.HostRecheckSeconds));
        Assert.Null(plain.TargetSessionAttributes);

        var others = ReplicaConnection.Primary(
            "Host=a,b;Timeout=15;Maximum Pool Size=100;Minimum Pool Size=10;Multiplexing=true;Enlist=true;Application Name=shop");
        Assert.Equal((2, 2, 0), (others.Timeout, others.MaxPoolSize, others.MinPoolSize));
        Assert.Equal((false, false, true), (others.Multiplexing, others.Enlist, others.NoResetOnClose));
        Assert.Equal(("shop", "read-write"), (others.ApplicationName, others.TargetSessionAttributes));
        Assert.Equal("primary", ReplicaConnection.Primary("Host=a,b;Target Session Attributes=primary").TargetSessionAttributes);

        Assert.Equal(1, ReplicaConnection.Replica("Host=a;Timeout=1").Timeout);
        Assert.Equal(2, ReplicaConnection.Replica("Host=a;Timeout=0").Timeout);
    }

    [Theory]
    [InlineData("Host=a;Database=shop", "Host=b,c;Database=shop", "names several servers")]
    [InlineData("Database=shop", "Host=b", "UsePostgreSqlReplicas: primary names no server")]
    [InlineData("Host=a;Pasword=geheim", "Host=b", "UsePostgreSqlReplicas: primary cannot be read")]
    [InlineData("Host=a", "Host=b;Port=geheim", "UsePostgreSqlReplicas: replica cannot be read")]
    [InlineData("Host=a", "Missing", "names the connection string Missing, which the configuration does not have")]
    [InlineData("postgres://a", "Host=b", "is a URL")]
    public void What_is_wrong_with_a_connection_string_is_said_without_its_secrets(string primary, string replica, string said)
    {
        var options = new HaOptions();
        options.UsePostgreSqlReplicas(primary, replica);
        using var services = Services();
        var error = Assert.Throws<OptionsValidationException>(() => options.Consistency!(services));
        Assert.Contains(said, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("geheim", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Both_connection_strings_are_told_at_once()
    {
        var options = new HaOptions();
        options.UsePostgreSqlReplicas("Shop", "Host=b,c");
        using var services = Services(("ConnectionStrings:Shop", "Database=shop"));
        var error = Assert.Throws<OptionsValidationException>(() => options.Consistency!(services));
        Assert.Collection(
            error.Failures,
            first => Assert.StartsWith("ConnectionStrings:Shop (from UsePostgreSqlReplicas: primary) names no server", first, StringComparison.Ordinal),
            second => Assert.StartsWith("UsePostgreSqlReplicas: replica names several servers", second, StringComparison.Ordinal));
    }

    [Fact]
    public void Names_are_looked_up_and_bounds_can_be_changed()
    {
        var options = new HaOptions();
        options.UsePostgreSqlReplicas("Shop", "ShopReplica", reads => reads.MaxWait = TimeSpan.FromSeconds(3));
        using var services = Services(("ConnectionStrings:Shop", "Host=a,b"), ("ConnectionStrings:ShopReplica", "Host=b"));
        var made = options.Consistency!(services);
        Assert.Equal(TimeSpan.FromSeconds(3), made.MaxWait);
        Assert.IsAssignableFrom<IDisposable>(made).Dispose();
    }

    private static ServiceProvider Services(params (string Key, string? Value)[] settings) => new ServiceCollection()
        .AddSingleton<IConfiguration>(new ConfigurationBuilder()
            .AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, setting.Value))).Build())
        .BuildServiceProvider();
}
