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

    private static ScriptedCluster Resilient(Action<LeaderRoutingOptions>? configure = null) => new(
        configure,
        services => services.AddHttpClient("api").AddStandardResilienceHandler().Configure(static (HttpStandardResilienceOptions options) =>
        {
            options.Retry.Delay = TimeSpan.FromMilliseconds(1);
            options.Retry.UseJitter = false;
            options.Retry.BackoffType = DelayBackoffType.Constant;
        }));
}
