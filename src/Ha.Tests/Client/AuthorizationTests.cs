using System.Net;
using System.Net.Http.Headers;
using Ha.Client;
using Ha.Tests.Support;
using static Ha.Tests.Client.ScriptedCluster;

namespace Ha.Tests.Client;

public class AuthorizationTests
{
    [Fact]
    public async Task Every_attempt_gets_an_authorization_of_its_own_for_its_node()
    {
        var asked = new List<Uri>();
        using var cluster = new ScriptedCluster(o => o.GetAuthorization = (node, _) =>
        {
            asked.Add(node);
            return ValueTask.FromResult<AuthenticationHeaderValue?>(new("Bearer", $"token-{asked.Count}"));
        });
        cluster.LedBy(C);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/notes") { Headers = { { "Authorization", "Bearer own" } } };
        using var response = await cluster.Client.SendAsync(request);
        Assert.Equal(["Bearer token-1", "Bearer token-2"], cluster.Log.Select(sent => sent.Header("Authorization")));
        Assert.Equal(cluster.Path, asked.Select(node => node.GetLeftPart(UriPartial.Authority)));
    }

    [Fact]
    public async Task Leader_that_is_not_configured_is_not_asked_for_and_null_leaves_the_messages_own()
    {
        var asked = 0;
        using var cluster = new ScriptedCluster(o => o.GetAuthorization = (_, _) =>
        {
            asked++;
            return ValueTask.FromResult<AuthenticationHeaderValue?>(null);
        });
        cluster.LedBy("http://elsewhere");
        cluster.On("http://elsewhere", Ok());
        using var request = new HttpRequestMessage(HttpMethod.Post, "/notes") { Headers = { { "Authorization", "Bearer own" } } };
        using var response = await cluster.Client.SendAsync(request);
        Assert.Equal(1, asked);
        Assert.Equal(["Bearer own", null], cluster.Log.Select(sent => sent.Header("Authorization")));
    }

    [Fact]
    public async Task Failing_hook_ends_the_call_with_its_error_and_nothing_sent()
    {
        // Of the kind that the transport throws too.
        var failure = new HttpRequestException("no token");
        using var cluster = new ScriptedCluster(o => o.GetAuthorization = (_, _) => throw failure);
        Assert.Same(failure, await Assert.ThrowsAsync<HttpRequestException>(() => cluster.Client.PostAsync("/notes", content: null)));
        Assert.Empty(cluster.Log);
        Assert.Empty(cluster.Time.Delays);
    }

    [Theory]
    [InlineData(typeof(IOException))]
    [InlineData(typeof(TaskCanceledException))]
    public async Task Hook_that_fails_behind_an_unknown_outcome_does_not_hide_that(Type failure)
    {
        var asked = 0;
        using var cluster = new ScriptedCluster(o =>
        {
            o.AddIdempotencyKey = true;
            o.GetAuthorization = (_, _) => asked++ == 0
                ? ValueTask.FromResult<AuthenticationHeaderValue?>(null)
                : throw (Exception)Activator.CreateInstance(failure)!;
        });
        cluster.Everywhere(Break);
        var error = await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => cluster.Client.PostAsync("/notes", content: null));
        Assert.IsType(failure, error.InnerException);
        Assert.Equal(cluster.Log[0].Header("Idempotency-Key"), error.IdempotencyKey);
    }

    [Fact]
    public async Task Hanging_hook_costs_the_time_of_an_attempt_and_the_callers_cancellation_ends_it()
    {
        using var cluster = new ScriptedCluster(o => o.GetAuthorization = Hang);
        var call = cluster.Client.GetStringAsync("/");
        cluster.Time.Advance(TimeSpan.FromSeconds(11));
        var late = await Assert.ThrowsAsync<TimeoutException>(() => call.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.StartsWith("GetAuthorization", late.Message, StringComparison.Ordinal);

        using var stop = new CancellationTokenSource();
        var cancelled = cluster.Client.GetAsync("/", stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Empty(cluster.Log);

        static async ValueTask<AuthenticationHeaderValue?> Hang(Uri node, CancellationToken stop)
        {
            await new TaskCompletionSource().Task;
            return null;
        }
    }

    [Theory]
    [InlineData(30_000, 29_950)]
    [InlineData(40, 20)]
    public async Task Hook_is_given_up_while_there_is_still_time_for_an_attempt(int deadline, int patience)
    {
        // Sent in the last moment, the write would end in an unknown outcome.
        CancellationToken given = default;
        using var cluster = new ScriptedCluster(o =>
        {
            o.Deadline = TimeSpan.FromMilliseconds(deadline);
            o.GetAuthorization = async (_, stop) =>
            {
                given = stop;
                await new TaskCompletionSource().Task.WaitAsync(stop);
                return null;
            };
        });
        var call = cluster.Client.PostAsync("/notes", content: null);
        cluster.Time.Advance(TimeSpan.FromMilliseconds(patience - 1));
        Assert.False(given.IsCancellationRequested);
        cluster.Time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(given.IsCancellationRequested);
        var late = await Assert.ThrowsAsync<TimeoutException>(() => call.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.StartsWith("GetAuthorization", late.Message, StringComparison.Ordinal);
        Assert.Empty(cluster.Log);
    }

    [Fact]
    public async Task Cancellation_inside_the_hook_is_the_callers_own_behind_an_unknown_outcome_too()
    {
        var asked = 0;
        using var cluster = new ScriptedCluster(o =>
        {
            o.AddIdempotencyKey = true;
            o.GetAuthorization = async (_, stop) =>
            {
                await (asked++ == 0 ? Task.CompletedTask : new TaskCompletionSource().Task.WaitAsync(stop));
                return null;
            };
        });
        cluster.Everywhere(Break);
        using var stop = new CancellationTokenSource();
        var call = cluster.Client.PostAsync("/notes", content: null, stop.Token);
        await Eventually.True(() => asked == 2);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Single(cluster.Log);
    }

    [Fact]
    public async Task Cookies_of_a_member_are_not_kept_and_the_callers_stay_inside()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy("http://elsewhere");
        cluster.On("http://elsewhere", Ok());
        foreach (var node in (string[])[A, B, C])
        {
            cluster.On(node, request =>
            {
                var response = (IsRead(request) ? Ok("http://elsewhere") : ToLeader("http://elsewhere"))(request);
                response.Headers.Add("Set-Cookie", "session=of-a-member; Domain=elsewhere");
                return response;
            });
        }

        await cluster.Client.GetStringAsync("/");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/notes") { Headers = { { "Cookie", "own=1" } } };
        using var response = await cluster.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal([null, "own=1", null], cluster.Log.Select(sent => sent.Header("Cookie")));
    }
}
