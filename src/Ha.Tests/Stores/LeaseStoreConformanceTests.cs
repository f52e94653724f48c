using Ha.Testing;

namespace Ha.Tests.Stores;

/// <summary>The suite can fail: each broken store fails the checks that are meant for its fault, and passes all others.</summary>
public sealed class LeaseStoreConformanceTests
{
    private static readonly Dictionary<string, (Func<Func<InMemoryLeaseStore, ILeaseStore>> Make, string[] Fails)> _faults = new(StringComparer.Ordinal)
    {
        ["claims over records"] = (Each(inner => new ClaimsOverRecords(inner)),
        [
            "A claim of an absent record is refused where there is one",
            "Of two who claim an absent record at once exactly one wins",
        ]),
        ["ignores versions"] = (Each(inner => new IgnoresVersions(inner)),
        [
            "A write against an older version is refused",
            "Clusters do not see each other",
            "A repeated write whose first answer was lost takes effect once",
            "Of two who claim one record at once exactly one wins",
            "Of ten who claim one record at once exactly one wins",
            "One client serves many threads, and no write is lost",
            "A version from before a deletion is refused after the record was made anew",
        ]),
        ["writes where nothing was"] = (Each(inner => new WritesWhereNothingWas(inner)), ["A cluster that nobody has led has no record"]),
        ["looks, then writes"] = (Each(inner => new LooksThenWrites(inner)),
        [
            "Of two who claim one record at once exactly one wins",
            "Of two who claim an absent record at once exactly one wins",
            "Of ten who claim one record at once exactly one wins",
            "One client serves many threads, and no write is lost",
        ]),
        ["refuses others"] = (Each(inner => new RefusesOthers(inner)),
        [
            "A write against the current version is written",
            "Every field comes back as it was written",
            "Versions are never repeated",
        ]),
        ["compares records"] = (Each(inner => new ComparesRecords(inner)), ["A repeated write whose first answer was lost takes effect once"]),
        ["forgets the epoch at release"] = (Each(inner => new ForgetsTheEpochAtRelease(inner)), ["A release keeps the epoch and lasts zero"]),
        ["rounds a release up"] = (Each(inner => new RoundsZeroUp(inner)), ["A release keeps the epoch and lasts zero"]),
        ["epochs as 53-bit numbers, less one"] = Changes(record => record with { Epoch = Math.Min(record.Epoch, (1L << 53) - 1) }),
        ["epochs as floats"] = Changes(record => record with { Epoch = (long)(float)record.Epoch }),
        ["short ids"] = Changes(record => record with { HolderId = record.HolderId?[..Math.Min(record.HolderId.Length, 64)] }),
        ["short URLs"] = Changes(record => record with { Url = record.Url[..Math.Min(record.Url.Length, 255)] }),
        ["whole seconds"] = Changes(record => record with { Duration = record.Duration < TimeSpan.FromSeconds(1) ? TimeSpan.Zero : record.Duration }),
        ["the word null"] = Changes(record => record with { HolderId = record.HolderId is "null" ? null : record.HolderId }),
        ["a hash as version"] = (Named((record, _) => $"{record}"),
        [
            "A write against an older version is refused",
            "Versions are never repeated",
            "A repeated write whose first answer was lost takes effect once",
            "Versions are never repeated over deletions",
        ]),
        ["a count as version"] = (Named((_, count) => $"{count}"),
        [
            "Clusters do not see each other",
            "A version from before a deletion is refused after the record was made anew",
            "Versions are never repeated over deletions",
        ]),
        ["shows a deleted record as released"] = (Deleted(record => record with { HolderId = null }),
            ["A record that was deleted while held is absent, or shows its holder and no lower epoch"]),
        ["shows a deleted record with a lower epoch"] = (Deleted(record => record with { Epoch = 1 }),
            ["A record that was deleted while held is absent, or shows its holder and no lower epoch"]),
        ["writes when read"] = (Each(inner => new WritesWhenRead(inner)),
        [
            "Every field comes back as it was written",
            "A read changes nothing",
            "The age, where there is one, grows until the next write",
        ]),
        ["ignores fired tokens"] = (Each(inner => new IgnoresFiredTokens(inner)), ["A call whose token has fired before it throws OperationCanceledException"]),
        ["breaks when cancelled"] = (Each(inner => new BreaksWhenCancelled(inner)), ["A call that is cancelled on its way leaves the store usable"]),
        ["waits for ever"] = (Each(inner => new WaitsForEver(inner)), ["A wait ends when its token fires"]),
        ["never wakes"] = (Each(inner => new NeverWakes(inner)), ["A waiter wakes after another client's write"]),
        ["waits beyond its end"] = (Each(inner => new WaitsBeyondItsEnd(inner)), ["After a client's end nothing hangs, and a second end does nothing"]),
        ["ends once"] = (Each(inner => new EndsOnce(inner)), ["After a client's end nothing hangs, and a second end does nothing"]),
        ["one record for all clusters"] = (Each(inner => inner.Connect("all")),
        [
            "Clusters do not see each other",
            "Of two who claim an absent record at once exactly one wins",
        ]),
        ["an age that stands still"] = (Answers(answer => answer with { Age = answer.Age is null ? null : TimeSpan.Zero }),
            ["The age, where there is one, grows until the next write"]),
        ["an age from the beginning"] = (Answers(answer => answer with { Age = answer.Age is null ? null : TimeSpan.FromDays(1) }),
            ["The age, where there is one, grows until the next write"]),
        ["everybody is eligible"] = (Members(member => member with { Eligible = true }), ["Members are listed as they showed themselves, or not at all"]),
        ["members without age"] = (Members(member => member with { Age = TimeSpan.Zero }), ["A member's age grows until it shows itself again"]),
        ["notes members once"] = (Shared(() => new Dictionary<string, LeaseMember>(StringComparer.Ordinal), (inner, first) => new NotesOnce(inner, first)),
            ["A member that changes is listed as it is now"]),
        ["one process of each node id"] = (Answers(answer => answer with { Members = [.. answer.Members!.DistinctBy(member => member.NodeId)] }),
            ["Two processes of one node id are both listed"]),
        ["never forgets members"] = (Each(inner => new NeverForgets(inner)), ["A member that leaves is listed no more"]),
        ["forgets members by node id"] = (Each(inner => new ForgetsByNodeId(inner)), ["A member that leaves is listed no more"]),
    };

    public static TheoryData<string> Faults => [.. _faults.Keys];

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_broken_store_fails_exactly_the_checks_for_its_fault(string fault)
    {
        var (make, fails) = _faults[fault];
        Assert.All(fails, name => Assert.Contains(name, LeaseStoreConformance.CheckNames));
        var failed = await Task.WhenAll(LeaseStoreConformance.CheckNames.Select(async name =>
        {
            try
            {
                await using var suite = new Suite(make());
                await suite.RunAsync(name);
                return null;
            }
            catch (LeaseStoreConformanceException e)
            {
                Assert.Equal(name, e.Check);
                Assert.StartsWith($"{name}: expected ", e.Message, StringComparison.Ordinal);
                return name;
            }
        }));
        Assert.Equal(fails.Order(StringComparer.Ordinal), failed.OfType<string>().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_check_can_fail()
    {
        // A store that never writes a first claim passes nearly nothing; what it is meant for needs no fault of its own.
        var unmeant = LeaseStoreConformance.CheckNames.Except(_faults.Values.SelectMany(fault => fault.Fails), StringComparer.Ordinal);
        Assert.Equal(["The first claim is written"], unmeant);
    }

    [Fact]
    public async Task A_store_that_refuses_the_first_claim_fails_the_check_for_it()
    {
        await using var suite = new Suite(inner => new ChangesAnswers(inner, answer => answer with { Written = false }));
        await Assert.ThrowsAsync<LeaseStoreConformanceException>(() => suite.RunAsync("The first claim is written"));
    }

    [Fact]
    public async Task A_check_that_does_not_exist_is_refused()
    {
        await using var suite = new Suite(inner => inner);
        await Assert.ThrowsAsync<ArgumentException>(() => suite.RunAsync("It is fast"));
    }

    private static Func<Func<InMemoryLeaseStore, ILeaseStore>> Each(Func<InMemoryLeaseStore, ILeaseStore> make) => () => make;

    private static Func<Func<InMemoryLeaseStore, ILeaseStore>> Shared<T>(Func<T> shared, Func<InMemoryLeaseStore, T, ILeaseStore> make) => () =>
    {
        var one = shared();
        return inner => make(inner, one);
    };

    private static (Func<Func<InMemoryLeaseStore, ILeaseStore>> Make, string[] Fails) Changes(Func<LeaseRecord, LeaseRecord> change) =>
        (Each(inner => new ChangesRecords(inner, change)), ["Every field comes back as it was written"]);

    private static Func<Func<InMemoryLeaseStore, ILeaseStore>> Answers(Func<LeaseAnswer, LeaseAnswer> change) => Each(inner => new ChangesAnswers(inner, change));

    private static Func<Func<InMemoryLeaseStore, ILeaseStore>> Members(Func<LeaseMember, LeaseMember> change) =>
        Answers(answer => answer with { Members = [.. answer.Members!.Select(change)] });

    private static Func<Func<InMemoryLeaseStore, ILeaseStore>> Named(Func<LeaseRecord, int, string> name) =>
        Shared(() => new NamesVersions.Names(name), (inner, names) => new NamesVersions(inner, names));

    private static Func<Func<InMemoryLeaseStore, ILeaseStore>> Deleted(Func<LeaseRecord, LeaseRecord> shown) =>
        Shared(() => new ShowsDeleted.Memory(), (inner, memory) => new ShowsDeleted(inner, memory, shown));

    private sealed class Suite(Func<InMemoryLeaseStore, ILeaseStore> around) : LeaseStoreConformance, IAsyncDisposable
    {
        private readonly InMemoryLeaseStore _store = new();

        public ValueTask DisposeAsync() => _store.DisposeAsync();

        protected override TimeSpan Patience => TimeSpan.FromSeconds(4);

        protected override Task<ILeaseStore> CreateAsync(string clusterId) => Task.FromResult(around(_store.Connect(clusterId)));

        protected override Task<bool> DeleteRecordAsync(string clusterId)
        {
            _store.Connect(clusterId).DeleteRecord();
            return Task.FromResult(true);
        }
    }
}
