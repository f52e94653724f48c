using Ha.Chaos;
using Ha.Chaos.Faults;
using Ha.Chaos.Nodes;

namespace Ha.Tests.Chaos;

public class StoreFaultTests
{
    [Fact]
    public void Without_a_store_none_of_its_faults_is_made_and_each_says_why() =>
        Assert.All(FaultCatalogue.Named(["store-"]), f => Assert.NotNull(f.WhyNot(With(StoreKind.Peers))));

    [Fact]
    public void With_a_store_all_of_its_faults_are_made() =>
        Assert.All([StoreKind.Postgres, StoreKind.PgBouncer, StoreKind.Redis],
            store => Assert.All(FaultCatalogue.Named(["store-"]), f => Assert.Null(f.WhyNot(With(store)))));

    [Fact]
    public void With_a_store_there_are_no_faults_of_settings_that_only_peers_have()
    {
        Assert.All(FaultCatalogue.Named(["wrong-secret", "missing-peer", "wrong-cluster"]), f => Assert.NotNull(f.WhyNot(With(StoreKind.Postgres))));
        Assert.All(FaultCatalogue.Named(["wrong-lease", "duplicate-id"]), f => Assert.Null(f.WhyNot(With(StoreKind.Postgres))));
        Assert.All(FaultCatalogue.Named(["wrong-", "missing-peer", "duplicate-id"]), f => Assert.Null(f.WhyNot(With(StoreKind.Peers))));
    }

    private static Machine With(StoreKind store) => new(Postgres: false, store, Losses: true, Copies: true, Queues: true);
}
