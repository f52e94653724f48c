using System.Net;
using System.Text.Json.Nodes;
using Ha.Tests.Support;

namespace Ha.Tests.Stores.Kubernetes;

/// <summary>One watch wakes all who wait, and comes back from everything.</summary>
public class KubernetesWatchTests
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task All_who_wait_share_one_watch_and_wake_at_a_write_and_a_deletion()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        var waiters = Enumerable.Range(0, 5).Select(_ => store.WaitForChangeAsync(CancellationToken.None)).ToArray();
        await Watching(bed);
        await StoreBed.WriteAsync(bed.Store(), StoreBed.Record("a"), expected: null);
        await Task.WhenAll(waiters).WaitAsync(_patience);
        var deletion = store.WaitForChangeAsync(CancellationToken.None);
        bed.Server.Objects.Delete(StoreBed.Key);
        await deletion.WaitAsync(_patience);
        Assert.Equal(1, bed.Server.Count("watch"));
    }

    [Fact]
    public async Task A_change_of_another_Lease_and_a_bookmark_wake_nobody()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        var waiting = store.WaitForChangeAsync(CancellationToken.None);
        await Watching(bed);
        await StoreBed.WriteAsync(bed.Store("shop/other"), StoreBed.Record("a"), expected: null);
        bed.Server.Objects.SendBookmarks();

        // Everything comes in order: at this one's turn the others were told.
        Assert.False(waiting.IsCompleted);
        await StoreBed.WriteAsync(bed.Store(), StoreBed.Record("a"), expected: null);
        await waiting.WaitAsync(_patience);
    }

    [Fact]
    public async Task A_wait_ends_with_its_token_and_the_others_go_on()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        using var given = new CancellationTokenSource();
        var (one, other) = (store.WaitForChangeAsync(given.Token), store.WaitForChangeAsync(CancellationToken.None));
        await Watching(bed);
        await given.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one.WaitAsync(_patience));
        Assert.False(other.IsCompleted);
        await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        await other.WaitAsync(_patience);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_watch_that_is_cut_or_ended_is_opened_where_it_was(bool cut)
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        var first = store.WaitForChangeAsync(CancellationToken.None);
        await Watching(bed);
        var held = await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        await first.WaitAsync(_patience);
        var next = store.WaitForChangeAsync(CancellationToken.None);
        if (cut)
        {
            bed.Server.CutWatches();
        }
        else
        {
            bed.Server.Objects.EndWatches();
        }

        // While nobody watches, or just before or after: it is told in each case.
        await StoreBed.WriteAsync(store, StoreBed.Record("a"), held.Version);
        await next.WaitAsync(_patience);
        await Eventually.True(() => bed.Server.Count("watch") is 2);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_forgotten_version_begins_the_watch_anew(bool byStatus)
    {
        await using var bed = await StoreBed.StartAsync();
        bed.Server.GoneByStatus = byStatus;
        var store = bed.Store();
        var first = store.WaitForChangeAsync(CancellationToken.None);
        await Watching(bed);
        await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        await first.WaitAsync(_patience);
        bed.Server.Objects.ChangeSomethingElse();
        bed.Server.Objects.Compact();
        var woken = store.WaitForChangeAsync(CancellationToken.None);
        bed.Server.CutWatches();
        await woken.WaitAsync(_patience);
        await Eventually.True(() => bed.Server.Count("watch") is 3);
        await Watching(bed);
        var later = store.WaitForChangeAsync(CancellationToken.None);
        bed.Server.Objects.Delete(StoreBed.Key);
        await later.WaitAsync(_patience);
    }

    [Fact]
    public async Task A_bookmark_spares_the_watch_from_being_too_old()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        var first = store.WaitForChangeAsync(CancellationToken.None);
        await first.WaitAsync(_patience);
        await Watching(bed);
        bed.Server.Objects.ChangeSomethingElse();
        bed.Server.Objects.Compact();
        bed.Server.Objects.SendBookmarks();

        // A second one shows that the first was read: events come in order, and this one wakes.
        var woken = store.WaitForChangeAsync(CancellationToken.None);
        bed.Server.Objects.Edit(StoreBed.Key, lease => lease["metadata"]!["labels"] = new JsonObject { ["x"] = "y" });
        await woken.WaitAsync(_patience);
        bed.Server.CutWatches();
        await Eventually.True(() => bed.Server.Count("watch") is 2);
        await Watching(bed);
        Assert.Equal(2, bed.Server.Count("watch"));
    }

    [Fact]
    public async Task A_failing_watch_is_tried_again_and_waiters_stay()
    {
        await using var bed = await StoreBed.StartAsync();
        bed.Server.Next("watch", FakeFaults.Answer(HttpStatusCode.InternalServerError));
        bed.Server.Next("watch", FakeFaults.Answer(HttpStatusCode.ServiceUnavailable));
        var store = bed.Store();
        using var stop = new CancellationTokenSource();
        await Eventually.True(async () =>
        {
            await store.WaitForChangeAsync(stop.Token).WaitAsync(_patience, stop.Token);
            return bed.Server.Count("watch") is 2;
        });
        await Watching(bed);
        Assert.Equal(3, bed.Server.Count("watch"));
    }

    [Fact]
    public async Task A_rotated_token_is_read_anew_for_a_watch_too()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        await store.ReadAsync(StoreBed.Self, CancellationToken.None);
        bed.Server.Tokens.Clear();
        bed.Server.Tokens["token-2"] = true;
        await File.WriteAllTextAsync(bed.TokenFile, "token-2");
        var waiting = store.WaitForChangeAsync(CancellationToken.None);
        await Watching(bed);
        await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        await waiting.WaitAsync(_patience);
        Assert.Equal(2, bed.Reads);
    }

    [Fact]
    public async Task Without_the_right_to_watch_the_wait_fails_and_names_it_and_members_still_poll()
    {
        await using var bed = await StoreBed.StartAsync();
        bed.Server.Rules = [(["get", "update"], "notes"), (["create"], null)];
        var store = bed.Store();
        var error = await Assert.ThrowsAsync<HttpRequestException>(() => store.WaitForChangeAsync(CancellationToken.None).WaitAsync(_patience));
        Assert.Contains("cannot watch resource", error.Message, StringComparison.Ordinal);
        Assert.Contains("verbs: [get, update, watch]", error.Message, StringComparison.Ordinal);
        Assert.True((await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null)).Written);
        bed.Server.Rules = [(["get", "update", "watch"], "notes"), (["create"], null)];
        await store.WaitForChangeAsync(CancellationToken.None).WaitAsync(_patience);
    }

    [Fact]
    public async Task The_least_rights_are_enough_for_everything()
    {
        await using var bed = await StoreBed.StartAsync();
        bed.Server.Rules = [(["get", "update", "watch"], "notes"), (["create"], null)];
        var store = bed.Store();
        var waiting = store.WaitForChangeAsync(CancellationToken.None);
        await Watching(bed);
        var held = await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        Assert.True((await StoreBed.WriteAsync(store, StoreBed.Record("a"), held.Version)).Written);
        await waiting.WaitAsync(_patience);
    }

    [Fact]
    public async Task The_end_of_the_store_ends_its_watch_and_those_who_wait()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        var waiting = store.WaitForChangeAsync(CancellationToken.None);
        await Watching(bed);
        await store.DisposeAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(_patience));
        await Eventually.True(() => bed.Server.Objects.WatchCount is 0);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => store.WaitForChangeAsync(CancellationToken.None));
    }

    private static Task Watching(StoreBed bed) => Eventually.True(() => bed.Server.Objects.WatchCount is 1);
}
