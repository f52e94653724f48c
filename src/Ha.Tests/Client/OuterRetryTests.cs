using System.Net;
using Ha.Client;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Http.Resilience;
using Polly;
using static Ha.Tests.Client.ScriptedCluster;

namespace Ha.Tests.Client;

/// <summary>A handler around the routing that sends one message again and again, as the standard resilience handler does.</summary>
public class OuterRetryTests
{
    [Fact]
    public async Task All_passes_of_one_message_have_the_same_key()
    {
        using var cluster = Resilient(o => o.AddIdempotencyKey = true);
        cluster.Everywhere(Problem(500, "the application's"), Problem(500, "the application's"), Ok(A));
        using var response = await cluster.Client.PostAsync("/notes", new StringContent("text"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(3, cluster.Log.Count);
        Assert.NotNull(cluster.Log[0].Header("Idempotency-Key"));
        Assert.Single(cluster.Log.Select(sent => sent.Header("Idempotency-Key")).Distinct());
    }

    [Theory]
    [InlineData(null)]
    [InlineData(" ")]
    [InlineData("a, b")]
    public async Task A_write_whose_outcome_is_unknown_is_not_sent_again_without_a_usable_key(string? key)
    {
        using var cluster = Resilient();
        cluster.Everywhere(Problem(502, "outcome unknown"), Ok(A));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/notes") { Content = new StringContent("text") };
        if (key is not null)
        {
            request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        }

        var error = await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => cluster.Client.SendAsync(request));
        Assert.Single(cluster.Log);

        // The pipeline has not even come back for it.
        Assert.Null(error.InnerException);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Handler_that_is_there_for_all_clients_repeats_no_unknown_write_and_changes_no_key(bool hedging)
    {
        // As a project's service defaults add it, before any client is named.
        using var cluster = new ScriptedCluster(services: services => services.ConfigureHttpClientDefaults(http =>
        {
            if (hedging)
            {
                http.AddStandardHedgingHandler().Configure(options => options.Hedging.Delay = TimeSpan.FromMilliseconds(1));
            }
            else
            {
                http.AddStandardResilienceHandler().Configure(options => options.Retry.Delay = TimeSpan.FromMilliseconds(1));
            }
        }));
        cluster.Everywhere(Break);
        await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => cluster.Client.PostAsync("/notes", new StringContent("text")));
        Assert.Single(cluster.Log);

        cluster.Forget();
        cluster.Everywhere(Problem(500, "the application's"), Ok(A));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/notes") { Headers = { { "Idempotency-Key", "\"own\"" } } };
        using var response = await cluster.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("\"own\"", Assert.Single(cluster.Log.Select(sent => sent.Header("Idempotency-Key")).Distinct()));
    }

    [Theory]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    public async Task A_write_without_a_key_is_not_executed_again_behind_a_server_error(int status)
    {
        using var cluster = Resilient();
        cluster.Everywhere(Bare(status), Ok(A));
        var error = await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => cluster.Client.PostAsync("/notes", new StringContent("text")));
        Assert.Contains($"an earlier pass of the same message was answered with {status}", error.Message, StringComparison.Ordinal);
        Assert.Single(cluster.Log);

        cluster.Forget();
        cluster.Everywhere(Bare(status), Ok(A));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/notes") { Headers = { { "Idempotency-Key", "\"own\"" } } };
        using var response = await cluster.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(2, cluster.Log.Count);
    }

    [Fact]
    public async Task A_write_that_the_application_has_turned_away_may_be_sent_again()
    {
        using var cluster = Resilient();
        cluster.Everywhere(Bare(429), Ok(A));
        using var response = await cluster.Client.PostAsync("/notes", new StringContent("text"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task A_write_that_was_certainly_not_executed_may_be_sent_again()
    {
        using var cluster = Resilient(o =>
        {
            o.ConnectTimeout = TimeSpan.FromMilliseconds(100);
            o.Deadline = TimeSpan.FromSeconds(1);
            o.AttemptTimeout = TimeSpan.FromSeconds(1);
        });
        cluster.Everywhere(Problem(503, "no leader", retryAfter: 5), Ok(A));
        using var response = await cluster.Client.PostAsync("/notes", new StringContent("text"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(["text", "text"], cluster.Log.Select(sent => sent.Body));
    }

    /// <summary>The lines of docs/client.md: a pass ends by its own deadline and says what each node answered.</summary>
    [Fact]
    public async Task Standard_handler_leaves_passes_of_9_s_their_own_end()
    {
        using var cluster = new ScriptedCluster(
            o => o.Deadline = TimeSpan.FromSeconds(9),
            services => services.AddHttpClient("api").AddStandardResilienceHandler(o => o.Retry.MaxRetryAttempts = 1));
        var began = cluster.Time.GetTimestamp();
        cluster.Everywhere(Problem(503, "no leader", retryAfter: 1));
        var error = await Assert.ThrowsAsync<LeaderRoutingException>(() => cluster.Client.PostAsync("/notes", new StringContent("text")));
        Assert.Contains("503 no leader", error.Message, StringComparison.Ordinal);
        Assert.InRange(cluster.Time.GetElapsedTime(began).TotalSeconds, 15, 30);
    }

    [Theory]
    [InlineData(null, "has no usable Idempotency-Key")]
    [InlineData("\"other\"", "under another Idempotency-Key")]
    public async Task Retry_of_whatever_fails_repeats_an_unknown_write_under_the_same_key_only(string? next, string why)
    {
        using var cluster = Around(async (request, pass) =>
        {
            await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => pass(CancellationToken.None));
            request.Headers.Remove("Idempotency-Key");
            request.Headers.TryAddWithoutValidation("Idempotency-Key", next);
            return await pass(CancellationToken.None);
        });
        cluster.Everywhere(Break);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/notes") { Headers = { { "Idempotency-Key", "\"first\"" } } };
        var error = await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => cluster.Client.SendAsync(request));
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
        Assert.IsType<WriteOutcomeUnknownException>(error.InnerException);
        Assert.All(cluster.Log, sent => Assert.Equal("\"first\"", sent.Header("Idempotency-Key")));
    }

    [Fact]
    public async Task Write_that_was_given_up_on_its_way_is_not_sent_again_without_a_key()
    {
        using var limit = new CancellationTokenSource();
        using var cluster = Around(async (_, pass) =>
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pass(limit.Token));
            return await pass(CancellationToken.None);
        });
        cluster.Everywhere(
            _ =>
            {
                limit.Cancel();
                throw new OperationCanceledException(limit.Token);
            },
            Ok(A));
        await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => cluster.Client.PostAsync("/notes", new StringContent("text")));
        Assert.Single(cluster.Log);
    }

    [Fact]
    public async Task Write_that_the_application_has_answered_may_have_run_whatever_a_later_pass_meets()
    {
        using var cluster = Around(async (_, pass) =>
        {
            using var disliked = await pass(CancellationToken.None);
            return await pass(CancellationToken.None);
        });
        cluster.Everywhere(Problem(429, "the application's"), Problem(503, "no leader", retryAfter: 60));
        await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => cluster.Client.PostAsync("/notes", new StringContent("text")));
        Assert.Equal(2, cluster.Log.Count);
    }

    [Fact]
    public async Task Pass_beside_another_of_the_same_message_sends_nothing_without_a_key()
    {
        var release = new TaskCompletionSource();
        using var cluster = Around(async (_, pass) =>
        {
            var first = pass(CancellationToken.None);
            var second = pass(CancellationToken.None);
            release.SetResult();
            var error = await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => second);
            Assert.Contains("another pass of the same message is under way", error.Message, StringComparison.Ordinal);
            return await first;
        });
        foreach (var node in (string[])[A, B, C])
        {
            cluster.On(node, async (request, _) =>
            {
                await release.Task;
                return Ok(A)(request);
            });
        }

        using var response = await cluster.Client.PostAsync("/notes", new StringContent("text"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Single(cluster.Log);
    }

    [Fact]
    public async Task Conflict_beside_another_pass_of_the_same_message_means_that_its_copy_still_runs()
    {
        var (turn, release) = (0, new TaskCompletionSource());
        using var cluster = Around(async (_, pass) =>
        {
            var first = pass(CancellationToken.None);
            using var second = await pass(CancellationToken.None);
            Assert.Equal(HttpStatusCode.OK, second.StatusCode);
            return await first;
        });
        foreach (var node in (string[])[A, B, C])
        {
            cluster.On(node, async (request, _) =>
            {
                switch (++turn)
                {
                    case 1:
                        await release.Task;
                        break;
                    case 2:
                        return Problem(409, "in progress", retryAfter: 1)(request);
                    default:
                        release.SetResult();
                        break;
                }

                return Ok(A)(request);
            });
        }

        using var request = new HttpRequestMessage(HttpMethod.Post, "/notes") { Headers = { { "Idempotency-Key", "\"own\"" } } };
        using var response = await cluster.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(3, cluster.Log.Count);
    }

    [Fact]
    public async Task Refusal_of_a_pass_whose_body_is_spent_takes_no_answer_of_an_earlier_one_back()
    {
        var writes = 0;
        using var cluster = Around(
            async (_, pass) =>
            {
                using var disliked = await pass(CancellationToken.None);
                return await pass(CancellationToken.None);
            },
            o => o.MaxBufferedBodyBytes = 0);
        foreach (var node in (string[])[A, B, C])
        {
            cluster.On(node, async (request, cancellation) =>
            {
                if (IsRead(request) || ++writes == 1)
                {
                    return Problem(429, "the application's")(request);
                }

                await request.Content!.CopyToAsync(Stream.Null, cancellation);
                return Problem(503, "no leader")(request);
            });
        }

        using var stream = new StreamContent(new MemoryStream([1]));
        await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => cluster.Client.PostAsync("/notes", stream));
        Assert.Equal(2, writes);
    }

    private static ScriptedCluster Around(Passes passes, Action<LeaderRoutingOptions>? configure = null) =>
        new(configure, services => services.AddHttpClient("api").AddHttpMessageHandler(() => new PassesHandler(passes)));

    private static ScriptedCluster Resilient(Action<LeaderRoutingOptions>? configure = null) => new(
        configure,
        services => services.AddHttpClient("api").AddStandardResilienceHandler().Configure(static (HttpStandardResilienceOptions options) =>
        {
            options.Retry.Delay = TimeSpan.FromMilliseconds(1);
            options.Retry.UseJitter = false;
            options.Retry.BackoffType = DelayBackoffType.Constant;
        }));

    private delegate Task<HttpResponseMessage> Passes(HttpRequestMessage request, Func<CancellationToken, Task<HttpResponseMessage>> pass);

    private sealed class PassesHandler(Passes passes) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            passes(request, token => base.SendAsync(request, token));
    }
}
