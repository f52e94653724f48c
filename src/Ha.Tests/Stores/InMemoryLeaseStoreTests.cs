using Ha.Testing;
using Microsoft.Extensions.Time.Testing;

namespace Ha.Tests.Stores;

public sealed class InMemoryLeaseStoreTests : LeaseStoreConformance, IAsyncDisposable
{
    private readonly InMemoryLeaseStore _store = new();

    public static TheoryData<string> Names => [.. CheckNames];

    [Theory]
    [MemberData(nameof(Names))]
    public Task It_conforms(string check) => RunAsync(check);

    [Fact]
    public async Task A_store_that_is_away_fails_every_call_until_it_is_back()
    {
        await using var client = _store.Connect();
        var self = new LeaseMember { NodeId = "a", Incarnation = "1" };
        _store.IsAway = true;
        await Assert.ThrowsAsync<IOException>(() => client.ReadAsync(self, CancellationToken.None));
        _store.IsAway = false;
        Assert.Null((await client.ReadAsync(self, CancellationToken.None)).Record);
    }

    [Fact]
    public async Task Ages_are_told_by_the_clock_it_was_given()
    {
        var time = new FakeTimeProvider();
        await using var store = new InMemoryLeaseStore(time);
        var self = new LeaseMember { NodeId = "a", Incarnation = "1" };
        var record = new LeaseRecord { HolderId = "a", Incarnation = "1", Epoch = 1, Duration = TimeSpan.FromSeconds(1) };
        Assert.True((await store.TryWriteAsync(record, expected: null, self, CancellationToken.None)).Written);
        time.Advance(TimeSpan.FromSeconds(7));
        var answer = await store.ReadAsync(self with { NodeId = "b" }, CancellationToken.None);
        Assert.Equal(TimeSpan.FromSeconds(7), answer.Age);
        Assert.Equal([TimeSpan.FromSeconds(7), TimeSpan.Zero], answer.Members!.Select(member => member.Age));
    }

    public async ValueTask DisposeAsync() => await _store.DisposeAsync();

    protected override Task<ILeaseStore> CreateAsync(string clusterId) => Task.FromResult<ILeaseStore>(_store.Connect(clusterId));

    protected override Task<bool> DeleteRecordAsync(string clusterId)
    {
        _store.Connect(clusterId).DeleteRecord();
        return Task.FromResult(true);
    }
}
