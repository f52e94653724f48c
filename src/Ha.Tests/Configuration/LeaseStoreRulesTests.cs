using Ha.Testing;
using Ha.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Configuration;

public class LeaseStoreRulesTests
{
    private const string Password = "s3cret-of-the-database";

    [Theory]
    [InlineData("postgres:Password=" + Password, "needs AddHa(o => o.UsePostgreSql()) in the program, from the package Ha.PostgreSql (dotnet add package Ha.PostgreSql)")]
    [InlineData("redis:cache:6379,password=" + Password, "needs AddHa(o => o.UseRedis()) in the program, from the package Ha.Redis (dotnet add package Ha.Redis)")]
    [InlineData("Kubernetes:shop", "needs AddHa(o => o.UseKubernetes()) in the program, from the package Ha.Kubernetes (dotnet add package Ha.Kubernetes)")]
    [InlineData("etcd:" + Password, "(etcd:…) names a kind of store that nobody has added; add it with AddHa(o => o.LeaseStores[\"etcd\"] = …), or use one that is there: memory")]
    [InlineData(Password, "must begin with the kind of store and a colon")]
    [InlineData("Host=db;Password=" + Password + ":more", "must begin with the kind of store and a colon")]
    [InlineData(":" + Password, "must begin with the kind of store and a colon")]
    public void A_store_that_is_not_there_is_refused_with_what_to_do(string written, string expected)
    {
        var problem = Assert.Single(TestSettings.Problems(Options(o => o.LeaseStore = written)));
        Assert.StartsWith("BASE_LEASE_STORE", problem, StringComparison.Ordinal);
        Assert.Contains(expected, problem, StringComparison.Ordinal);
        Assert.DoesNotContain(Password, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Members_and_a_store_are_refused_together() =>
        Assert.Contains(
            TestSettings.Problems(Options(o => o.Peers.Add("http://n2.example"))),
            problem => problem.StartsWith("BASE_LEASE_STORE and BASE_PEERS are both set", StringComparison.Ordinal));

    [Fact]
    public void A_store_needs_to_know_where_this_node_is() =>
        Assert.Contains("set BASE_LOCAL_TARGET", Assert.Single(TestSettings.Problems(Options(o => o.LocalTarget = null))), StringComparison.Ordinal);

    [Fact]
    public void What_is_about_votes_is_refused_beside_a_store()
    {
        Assert.StartsWith("BASE_WITNESS (true)", Assert.Single(TestSettings.Problems(Options(o => o.Witness = true))), StringComparison.Ordinal);
        Assert.StartsWith("BASE_QUORUM (off)", Assert.Single(TestSettings.Problems(Options(o => o.Quorum = QuorumMode.Off))), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_store_is_made_from_what_follows_the_scheme()
    {
        LeaseStoreContext? seen = null;
        using var services = new ServiceCollection().BuildServiceProvider();
        var settings = Ha.Configuration.HaSettings.Parse(Options(o =>
        {
            o.LeaseStore = "Memory: a:b=c ";
            o.ClusterId = "shop";
            o.LeaseTimeout = TimeSpan.FromSeconds(3);
            o.LeaseStores["memory"] = context =>
            {
                seen = context;
                return new InMemoryLeaseStore();
            };
        }));
        await using var store = settings.LeaseStore!(services);
        Assert.Equal(new LeaseStoreContext("a:b=c", "shop", TimeSpan.FromSeconds(3), services), seen);
    }

    [Fact]
    public void A_fixed_leader_wins()
    {
        var settings = Ha.Configuration.HaSettings.Parse(Options(o => o.StaticLeader = "http://n2.example"));
        Assert.Null(settings.LeaseStore);
        Assert.True(settings.LeaseStoreWasNamed);
    }

    private static HaOptions Options(Action<HaOptions> configure)
    {
        var options = new HaOptions { NodeId = "n1", LocalTarget = "http://n1.example", LeaseStore = "memory:" };
        options.LeaseStores["memory"] = _ => new InMemoryLeaseStore();
        configure(options);
        return options;
    }
}
