using System.Net;
using Ha.Tests.Support;
using Microsoft.Extensions.Time.Testing;

namespace Ha.Tests.Stores.Kubernetes;

/// <summary>An API server that is slow, overloaded, strict, or gone.</summary>
public class KubernetesFaultTests
{
    [Fact]
    public async Task A_server_that_asks_to_wait_is_left_alone_for_that_long()
    {
        await using var bed = await StoreBed.StartAsync();
        var time = new FakeTimeProvider();
        var store = bed.Store(time: time);
        bed.Server.Next("get", FakeFaults.Answer(HttpStatusCode.TooManyRequests, "5"));
        var first = await Assert.ThrowsAsync<HttpRequestException>(() => Read(store));
        Assert.Equal(HttpStatusCode.TooManyRequests, first.StatusCode);
        Assert.Contains("429", first.Message, StringComparison.Ordinal);
        Assert.Contains("not to be called for 5 s", first.Message, StringComparison.Ordinal);
        time.Advance(TimeSpan.FromSeconds(4));
        var second = await Assert.ThrowsAsync<HttpRequestException>(() => Read(store));
        Assert.Contains("1 s of it are left", second.Message, StringComparison.Ordinal);
        Assert.Equal(1, bed.Server.Count("get"));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null((await Read(store)).Record);
        Assert.Equal(2, bed.Server.Count("get"));
    }

    [Fact]
    public async Task A_watch_that_is_asked_to_wait_does_not_keep_the_leader_from_renewing()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store(time: new FakeTimeProvider());
        bed.Server.Next("watch", FakeFaults.Answer(HttpStatusCode.TooManyRequests, "30"));
        await store.WaitForChangeAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.True((await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null)).Written);
        Assert.Equal(1, bed.Server.Count("watch"));
    }

    [Fact]
    public async Task An_absurd_wait_is_cut_and_a_date_is_understood()
    {
        await using var bed = await StoreBed.StartAsync();
        var time = new FakeTimeProvider(new DateTimeOffset(2025, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var store = bed.Store(time: time);
        bed.Server.Next("get", FakeFaults.Answer(HttpStatusCode.ServiceUnavailable, "86400"));
        await Assert.ThrowsAsync<HttpRequestException>(() => Read(store));
        time.Advance(TimeSpan.FromMinutes(1));
        bed.Server.Next("get", FakeFaults.Answer(HttpStatusCode.TooManyRequests, "Wed, 01 Jan 2025 00:01:10 GMT"));
        await Assert.ThrowsAsync<HttpRequestException>(() => Read(store));
        time.Advance(TimeSpan.FromSeconds(9));
        await Assert.ThrowsAsync<HttpRequestException>(() => Read(store));
        Assert.Equal(2, bed.Server.Count("get"));
        time.Advance(TimeSpan.FromSeconds(1));
        await Read(store);
    }

    [Theory]
    [InlineData(HttpStatusCode.InternalServerError)]
    [InlineData(HttpStatusCode.ServiceUnavailable)]
    [InlineData(HttpStatusCode.TooManyRequests)]
    public async Task A_failure_is_an_exception_with_what_the_server_said_and_the_next_call_goes_through(HttpStatusCode code)
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        bed.Server.Next("create", FakeFaults.Answer(code));
        var error = await Assert.ThrowsAsync<HttpRequestException>(() => StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null));
        Assert.Equal(code, error.StatusCode);
        Assert.Contains($"answered {(int)code}: fault {(int)code}", error.Message, StringComparison.Ordinal);
        Assert.True((await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null)).Written);
    }

    [Fact]
    public async Task A_storm_of_conflicts_is_answered_each_time_and_leaves_the_record()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        var held = await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        for (var storm = 0; storm < 20; storm++)
        {
            bed.Server.Next("update", FakeFaults.Answer(HttpStatusCode.Conflict));
            var answer = await StoreBed.WriteAsync(store, StoreBed.Record("a"), held.Version);
            Assert.False(answer.Written);
            Assert.Equal(held.Version, answer.Version);
        }

        Assert.Equal(20, bed.Server.Count("update"));
        Assert.True((await StoreBed.WriteAsync(store, StoreBed.Record("a"), held.Version)).Written);
    }

    [Fact]
    public async Task A_call_ends_with_its_token_whether_headers_or_body_or_the_failure_hang()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        foreach (var fault in (FakeFault[])[FakeFaults.Hang, FakeFaults.HangInBody, HangInFailure])
        {
            var gone = new TaskCompletionSource();
            bed.Server.Next("get", async (context, serve) =>
            {
                await fault(context, serve);
                gone.SetResult();
            });
            using var given = new CancellationTokenSource();
            var asked = bed.Server.Count("get");
            var call = store.ReadAsync(StoreBed.Self, given.Token);
            await Eventually.True(() => bed.Server.Count("get") > asked);
            await given.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call.WaitAsync(TimeSpan.FromSeconds(30)));

            // No thread goes on reading what nobody waits for.
            await gone.Task.WaitAsync(TimeSpan.FromSeconds(30));
        }

        Assert.Null((await Read(store)).Record);

        static Task HangInFailure(Microsoft.AspNetCore.Http.HttpContext context, Func<Task> serve)
        {
            context.Response.StatusCode = 500;
            return FakeFaults.HangInBody(context, serve);
        }
    }

    [Fact]
    public async Task Without_a_token_of_the_caller_a_call_ends_after_a_lease()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store(lease: TimeSpan.FromMilliseconds(200));
        bed.Server.Next("get", FakeFaults.Hang);
        var error = await Assert.ThrowsAsync<TimeoutException>(() => Read(store).WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Contains("did not answer within", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_write_whose_answer_was_lost_shows_as_our_own_record_under_a_version_we_did_not_expect()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        var held = await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        bed.Server.Next("update", FakeFaults.ExecuteAndHang);
        using var given = new CancellationTokenSource();
        var lost = store.TryWriteAsync(StoreBed.Record("a"), held.Version, StoreBed.Self, given.Token);
        await Eventually.True(() => VersionOf(bed) != held.Version);
        await given.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => lost);
        var again = await StoreBed.WriteAsync(store, StoreBed.Record("a"), held.Version);
        Assert.False(again.Written);
        Assert.Equal("a", again.Record!.HolderId);
        Assert.Equal(VersionOf(bed), again.Version);
    }

    [Fact]
    public async Task A_request_that_arrives_twice_has_written_once()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        bed.Server.Next("create", FakeFaults.Twice);
        var held = await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        Assert.True(held.Written);
        bed.Server.Next("update", FakeFaults.Twice);
        var renewed = await StoreBed.WriteAsync(store, StoreBed.Record("a"), held.Version);
        Assert.True(renewed.Written);
        Assert.Equal(VersionOf(bed), renewed.Version);
    }

    [Fact]
    public async Task A_rotated_token_is_read_anew_and_the_call_made_once_more()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        await Read(store);
        bed.Server.Tokens.Clear();
        bed.Server.Tokens["token-2"] = true;
        await File.WriteAllTextAsync(bed.TokenFile, "token-2\n");
        var before = bed.Server.Requests.Count;
        Assert.True((await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null)).Written);
        Assert.Equal(2, bed.Server.Requests.Count - before);
        Assert.Equal(2, bed.Reads);
        Assert.NotNull((await Read(store)).Record);
        Assert.Equal(2, bed.Reads);
    }

    [Fact]
    public async Task A_token_that_stays_refused_costs_one_more_try_and_says_so()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        bed.Server.Tokens.Clear();
        var error = await Assert.ThrowsAsync<HttpRequestException>(() => Read(store));
        Assert.Equal(HttpStatusCode.Unauthorized, error.StatusCode);
        Assert.Contains("read anew and are refused too", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, bed.Server.Requests.Count);
    }

    [Fact]
    public async Task A_missing_right_is_told_with_the_rules_to_write()
    {
        await using var bed = await StoreBed.StartAsync();
        bed.Server.Rules = [(["get"], "notes")];
        var store = bed.Store();
        Assert.Null((await Read(store)).Record);
        var error = await Assert.ThrowsAsync<HttpRequestException>(() => StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null));
        Assert.Equal(HttpStatusCode.Forbidden, error.StatusCode);
        Assert.Contains("cannot create resource", error.Message, StringComparison.Ordinal);
        Assert.Contains("resourceNames: [notes], verbs: [get, update, watch]", error.Message, StringComparison.Ordinal);
        Assert.Contains("verbs: [create]", error.Message, StringComparison.Ordinal);
        Assert.Contains("in namespace shop", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_namespace_is_told_with_the_line_that_makes_it()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store("shopp/notes");
        var error = await Assert.ThrowsAsync<HttpRequestException>(() => StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null));
        Assert.Equal(HttpStatusCode.NotFound, error.StatusCode);
        Assert.Contains("kubectl create namespace shopp", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_away_is_an_exception()
    {
        await using var bed = await StoreBed.StartAsync();
        var store = bed.Store();
        await Read(store);
        await bed.Server.DisposeAsync();
        await Assert.ThrowsAsync<HttpRequestException>(() => Read(store));
    }

    private static Task<LeaseAnswer> Read(Ha.Kubernetes.KubernetesLeaseStore store) => store.ReadAsync(StoreBed.Self, CancellationToken.None);

    private static string VersionOf(StoreBed bed)
    {
        var metadata = bed.Server.Objects.Get(StoreBed.Key)!["metadata"]!;
        return $"{metadata["uid"]}/{metadata["resourceVersion"]}";
    }
}
