using System.Text.Json.Nodes;
using Ha.Kubernetes;
using Ha.Leases;
using Microsoft.Extensions.Time.Testing;

namespace Ha.Tests.Stores.Kubernetes;

/// <summary>Compare-and-set on a Lease, and what other people do to it.</summary>
public class KubernetesLeaseStoreTests
{
    [Fact]
    public async Task A_record_comes_back_as_it_was_written_and_kubectl_shows_its_holder()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        Assert.Null((await store.ReadAsync(StoreBed.Self, CancellationToken.None)).Record);
        var record = StoreBed.Record("a") with { Duration = TimeSpan.FromMilliseconds(1234.5678), Successor = "b" };
        var written = await StoreBed.WriteAsync(store, record, expected: null);
        Assert.True(written.Written);
        Assert.Equal(record, written.Record);
        var read = await bed.Store().ReadAsync(StoreBed.Self, CancellationToken.None);
        Assert.False(read.Written);
        Assert.Equal(record, read.Record);
        Assert.Equal(written.Version, read.Version);
        Assert.Null(read.Members);
        Assert.Null(read.Age);

        var lease = bed.Server.Objects.Get(StoreBed.Key)!;
        Assert.Equal("a", (string?)lease["spec"]!["holderIdentity"]);
        Assert.Equal(2, (int)lease["spec"]!["leaseDurationSeconds"]!);
        Assert.Equal($"Kubernetes {bed.Server.Address}, lease shop/notes", store.Description);
    }

    [Fact]
    public async Task A_renewal_is_one_PUT_with_a_version_of_its_own_even_if_nothing_changed()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store(time: new FakeTimeProvider());
        var first = await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        var second = await StoreBed.WriteAsync(store, StoreBed.Record("a"), first.Version);
        var third = await StoreBed.WriteAsync(store, StoreBed.Record("a"), second.Version);
        Assert.True(second.Written && third.Written);
        Assert.Equal(3, new[] { first.Version, second.Version, third.Version }.Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(["create", "update", "update"], bed.Server.Requests);
    }

    [Fact]
    public async Task Only_the_expected_version_is_replaced_and_the_answer_shows_the_winner()
    {
        await using var bed = await StoreBed.StartAsync();
        var (one, other) = (bed.Store(), bed.Store());
        var first = await StoreBed.WriteAsync(one, StoreBed.Record("a"), expected: null);
        var again = await StoreBed.WriteAsync(other, StoreBed.Record("b"), expected: null);
        Assert.False(again.Written);
        Assert.Equal("a", again.Record!.HolderId);
        Assert.Equal(first.Version, again.Version);

        var taken = await StoreBed.WriteAsync(other, StoreBed.Record("b", 8), again.Version);
        Assert.True(taken.Written);
        var late = await StoreBed.WriteAsync(one, StoreBed.Record("a", 9), first.Version);
        Assert.False(late.Written);
        Assert.Equal("b", late.Record!.HolderId);
        Assert.Equal(taken.Version, late.Version);
    }

    [Fact]
    public async Task Of_two_who_claim_at_once_one_wins()
    {
        await using var bed = await StoreBed.StartAsync();
        var stores = new[] { bed.Store(), bed.Store() };
        string? version = null;
        for (var round = 0; round < 100; round++)
        {
            var claims = await Task.WhenAll(stores.Select((store, at) => StoreBed.WriteAsync(store, StoreBed.Record($"n{at}", round + 1), version)));
            var winner = Assert.Single(claims, claim => claim.Written);
            Assert.All(claims, claim => Assert.Equal(winner.Version, claim.Version));
            Assert.All(claims, claim => Assert.Equal(winner.Record, claim.Record));
            version = winner.Version;
        }
    }

    [Fact]
    public async Task A_Lease_that_was_deleted_and_made_again_is_another_one()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        var first = await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        Assert.True(bed.Server.Objects.Delete(StoreBed.Key));
        var gone = await StoreBed.WriteAsync(store, StoreBed.Record("a"), first.Version);
        Assert.False(gone.Written);
        Assert.Null(gone.Record);
        Assert.Null(gone.Version);

        var other = await StoreBed.WriteAsync(bed.Store(), StoreBed.Record("b"), expected: null);
        Assert.True(other.Written);
        Assert.NotEqual(first.Version!.Split('/')[0], other.Version!.Split('/')[0]);
        var late = await StoreBed.WriteAsync(bed.Store(), StoreBed.Record("a"), first.Version);
        Assert.False(late.Written);
        Assert.Equal("b", late.Record!.HolderId);
    }

    [Fact]
    public async Task A_release_leaves_the_epoch_and_the_transitions_count_takeovers()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        var held = await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        var renewed = await StoreBed.WriteAsync(store, StoreBed.Record("a"), held.Version);
        var released = await StoreBed.WriteAsync(store, StoreBed.Record(null) with { Duration = TimeSpan.Zero, Successor = "b" }, renewed.Version);
        Assert.Null(released.Record!.HolderId);
        Assert.Equal(7, released.Record.Epoch);
        Assert.Equal("b", released.Record.Successor);
        Assert.Null(bed.Server.Objects.Get(StoreBed.Key)!["spec"]!["holderIdentity"]);
        await StoreBed.WriteAsync(store, StoreBed.Record("b", 8), released.Version);
        var spec = bed.Server.Objects.Get(StoreBed.Key)!["spec"]!;
        Assert.Equal(1, (int)spec["leaseTransitions"]!);
        Assert.NotNull(spec["acquireTime"]);
        Assert.NotNull(spec["renewTime"]);
    }

    /// <summary>The spec of a Lease knows no duration below a second.</summary>
    [Fact]
    public async Task A_release_is_one_for_everybody_and_a_holder_that_lasts_zero_is_none()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        var held = await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        var release = StoreBed.Record(null) with { Duration = TimeSpan.Zero };
        Assert.True((await StoreBed.WriteAsync(store, release, held.Version)).Written);
        var seen = await bed.Store().ReadAsync(StoreBed.Self, CancellationToken.None);
        Assert.Equal(release, seen.Record);
        Assert.Equal(LeaseState.Released, Sighting.StateOf(seen.Record));
        Assert.Equal(1, (int)bed.Server.Objects.Get(StoreBed.Key)!["spec"]!["leaseDurationSeconds"]!);

        // A name that is written into the spec, ours left beside it, does not last zero.
        bed.Server.Objects.Edit(StoreBed.Key, lease => lease["spec"]!["holderIdentity"] = "somebody");
        Assert.Equal(LeaseState.Held, Sighting.StateOf((await store.ReadAsync(StoreBed.Self, CancellationToken.None)).Record));
    }

    [Fact]
    public async Task What_others_wrote_on_the_Lease_stays()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        bed.Server.Objects.Edit(StoreBed.Key, lease =>
        {
            lease["metadata"]!["labels"] = new JsonObject { ["team"] = "blue" };
            lease["metadata"]!["annotations"]!["example.com/note"] = "do not delete";
            lease["metadata"]!["finalizers"] = new JsonArray("example.com/keep");
        });
        var seen = await store.ReadAsync(StoreBed.Self, CancellationToken.None);
        Assert.True((await StoreBed.WriteAsync(store, StoreBed.Record("a", 8), seen.Version)).Written);
        var metadata = bed.Server.Objects.Get(StoreBed.Key)!["metadata"]!;
        Assert.Equal("blue", (string?)metadata["labels"]!["team"]);
        Assert.Equal("do not delete", (string?)metadata["annotations"]!["example.com/note"]);
        Assert.Equal("example.com/keep", (string?)metadata["finalizers"]![0]);
    }

    [Fact]
    public async Task A_Lease_of_another_elector_is_somebodys_and_can_be_taken_with_its_whole_seconds()
    {
        await using var bed = await StoreBed.StartAsync();
        bed.Server.Objects.Create("shop", JsonNode.Parse("""
            {"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"notes"},"spec":{"holderIdentity":"pod-x_1","leaseDurationSeconds":15,
             "acquireTime":"2025-01-01T00:00:00.000000Z","renewTime":"2025-01-01T00:00:00.000000Z","leaseTransitions":4}}
            """)!.AsObject());
        var store = bed.Store(time: new FakeTimeProvider(new DateTimeOffset(2025, 1, 1, 0, 0, 0, TimeSpan.Zero)));
        var seen = await store.ReadAsync(StoreBed.Self, CancellationToken.None);
        Assert.Equal("pod-x_1", seen.Record!.HolderId);
        Assert.Equal(TimeSpan.FromSeconds(15), seen.Record.Duration);
        Assert.Equal(new string('0', 32), seen.Record.Incarnation);
        Assert.Equal(1, seen.Record.Epoch);

        // Neither a released record's acquire time nor a wall clock on the second may cost the write.
        var released = await StoreBed.WriteAsync(store, StoreBed.Record(null), seen.Version);
        Assert.True(released.Written);
        Assert.True((await StoreBed.WriteAsync(store, StoreBed.Record("a", 8), released.Version)).Written);
        Assert.Equal(5, (int)bed.Server.Objects.Get(StoreBed.Key)!["spec"]!["leaseTransitions"]!);
    }

    [Theory]
    [InlineData("epoch", "many")]
    [InlineData("epoch", "-3")]
    [InlineData("epoch", "9223372036854775807")]
    [InlineData("duration", "soon")]
    [InlineData("duration", "-00:00:01")]
    [InlineData("duration", "00:00:00")]
    [InlineData("incarnation", "")]
    public async Task An_annotation_edited_into_nonsense_is_read_as_far_as_it_goes(string annotation, string text)
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        bed.Server.Objects.Edit(StoreBed.Key, lease => lease["metadata"]!["annotations"]![$"ha.base/{annotation}"] = text);
        var seen = await store.ReadAsync(StoreBed.Self, CancellationToken.None);
        Assert.Equal("a", seen.Record!.HolderId);
        Assert.InRange(seen.Record.Epoch, 1, 1L << 53);
        Assert.True(seen.Record.Duration > TimeSpan.Zero);
        Assert.Equal(32, seen.Record.Incarnation.Length);
    }

    [Fact]
    public async Task A_holder_written_by_hand_is_not_taken_for_our_process_and_the_epoch_does_not_fall()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        var before = await StoreBed.WriteAsync(store, StoreBed.Record("a", 900), expected: null);
        bed.Server.Objects.Edit(StoreBed.Key, lease => lease["spec"]!["holderIdentity"] = "somebody");
        var edited = await store.ReadAsync(StoreBed.Self, CancellationToken.None);
        Assert.NotEqual(before.Version, edited.Version);
        Assert.Equal("somebody", edited.Record!.HolderId);
        Assert.Equal(900, edited.Record.Epoch);
        Assert.NotEqual(before.Record!.Incarnation, edited.Record.Incarnation);
        Assert.Equal("", edited.Record.Url);
    }

    [Fact]
    public async Task A_holder_taken_out_by_hand_has_not_released_and_is_put_back_by_its_next_renewal()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        var held = await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        bed.Server.Objects.Edit(StoreBed.Key, lease => lease["spec"]!["holderIdentity"] = "");
        var renewal = await StoreBed.WriteAsync(store, StoreBed.Record("a"), held.Version);
        Assert.False(renewal.Written);
        Assert.Equal(held.Record, renewal.Record);
        Assert.True((await StoreBed.WriteAsync(store, StoreBed.Record("a"), renewal.Version)).Written);
        Assert.Equal("a", (string?)bed.Server.Objects.Get(StoreBed.Key)!["spec"]!["holderIdentity"]);
    }

    [Theory]
    [InlineData("""{"metadata":{"name":"notes"}}""")]
    [InlineData("""{"metadata":{"name":"notes"},"spec":{}}""")]
    [InlineData("""{"metadata":{"name":"notes"},"spec":{"holderIdentity":"","leaseDurationSeconds":1}}""")]
    public async Task A_Lease_that_no_member_wrote_is_nobodys_gift_but_held_by_one_unknown(string made)
    {
        await using var bed = await StoreBed.StartAsync();
        bed.Server.Objects.Create("shop", JsonNode.Parse(made)!.AsObject());
        var store = bed.Store();
        var seen = await store.ReadAsync(StoreBed.Self, CancellationToken.None);
        Assert.Equal("?", seen.Record!.HolderId);
        Assert.True(seen.Record.Duration > TimeSpan.Zero);
        Assert.True((await StoreBed.WriteAsync(store, StoreBed.Record("a"), seen.Version)).Written);
    }

    [Fact]
    public async Task Clusters_have_a_Lease_each_and_a_name_without_a_namespace_is_in_the_default_one()
    {
        await using var bed = await StoreBed.StartAsync();
        await StoreBed.WriteAsync(bed.Store("notes"), StoreBed.Record("a"), expected: null);
        await StoreBed.WriteAsync(bed.Store("notes", clusterId: "blue"), StoreBed.Record("b"), expected: null);
        Assert.Equal("a", (string?)bed.Server.Objects.Get("default/notes")!["spec"]!["holderIdentity"]);
        Assert.Equal("b", (string?)bed.Server.Objects.Get("default/notes-blue")!["spec"]!["holderIdentity"]);
    }

    [Theory]
    [InlineData("", "default")]
    [InlineData("Notes", "default")]
    [InlineData("a/b/c", "default")]
    [InlineData("/notes", "default")]
    [InlineData("shop/", "default")]
    [InlineData("sh.op/notes", "default")]
    [InlineData("notes\n", "default")]
    [InlineData("notes", "Blue")]
    public void A_name_that_Kubernetes_would_refuse_stops_the_start(string value, string clusterId)
    {
        var error = Assert.Throws<ArgumentException>(() => new KubernetesLeaseStore(
            new LeaseStoreContext(value, clusterId, TimeSpan.FromSeconds(1), Services: null), () => throw new InvalidOperationException("too early")));
        Assert.Contains(clusterId is "default" ? "kubernetes:name" : "BASE_CLUSTER_ID", error.Message, StringComparison.Ordinal);
    }
}
