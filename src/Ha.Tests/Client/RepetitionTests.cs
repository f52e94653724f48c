using System.Net;
using System.Text;
using Ha.Client;
using static Ha.Tests.Client.ScriptedCluster;

namespace Ha.Tests.Client;

public class RepetitionTests
{
    [Theory]
    [InlineData("no leader", false)]
    [InlineData("not leader", true)]
    [InlineData("not leader", false)]
    [InlineData("leader unreachable", false)]
    [InlineData("not executed", false)]
    [InlineData("something else", true)]
    public async Task Write_that_was_not_executed_is_sent_again_after_Retry_After(string error, bool notExecuted)
    {
        using var cluster = new ScriptedCluster();
        cluster.Everywhere(Problem(503, error, retryAfter: 2, notExecuted), Ok(A));
        using var response = await cluster.Client.PostAsync("/notes", new StringContent("text"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(["text", "text"], cluster.Log.Select(sent => sent.Body));
        Assert.InRange(Assert.Single(cluster.Time.Delays).TotalSeconds, 2, 2.5);
    }

    [Fact]
    public async Task Retry_After_may_be_a_date()
    {
        using var cluster = new ScriptedCluster();
        cluster.Everywhere(
            request =>
            {
                var response = Problem(503, "no leader")(request);
                response.Headers.RetryAfter = new(cluster.Time.GetUtcNow().AddSeconds(4));
                return response;
            },
            Ok(A));
        using var response = await cluster.Client.PostAsync("/notes", content: null);
        Assert.InRange(Assert.Single(cluster.Time.Delays).TotalSeconds, 2.9, 5);
    }

    [Theory]
    [InlineData(503, "busy", null)]
    [InlineData(503, "busy", 1)]
    [InlineData(502, "bad gateway", null)]
    [InlineData(502, "no leader", null)]
    [InlineData(503, "outcome unknown", null)]
    [InlineData(409, "conflict", 1)]
    [InlineData(500, "no leader", null)]
    public async Task Word_of_the_application_goes_to_the_caller_as_it_is(int status, string error, int? retryAfter)
    {
        using var cluster = new ScriptedCluster(o => o.AddIdempotencyKey = true);
        cluster.Everywhere(Problem(status, error, retryAfter), Ok(A));
        using var response = await cluster.Client.PostAsync("/notes", content: null);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Contains(error, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Single(cluster.Log);
    }

    [Theory]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    public async Task Gateway_before_nodes_that_show_themselves_does_not_know_what_became_of_a_write(int status)
    {
        using var cluster = new ScriptedCluster();
        cluster.Everywhere(Shown(Ok(A)), Bare(status), Ok(A));
        await cluster.Client.GetStringAsync("/");
        var error = await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => cluster.Client.PostAsync("/notes", content: null));
        Assert.Contains($"{status} of a gateway", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, cluster.Log.Count);

        cluster.Everywhere(Bare(status), Ok(A));
        using var keyed = new HttpRequestMessage(HttpMethod.Post, "/notes") { Headers = { { "Idempotency-Key", "own" } } };
        using var response = await cluster.Client.SendAsync(keyed);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);

        cluster.Everywhere(Bare(status));
        using var read = await cluster.Client.GetAsync("/");
        Assert.Equal(status, (int)read.StatusCode);

        // The application's own, through its node.
        cluster.Everywhere(Shown(Bare(status)));
        using var word = await cluster.Client.PostAsync("/notes", content: null);
        Assert.Equal(status, (int)word.StatusCode);
    }

    [Theory]
    [InlineData(100_000, false)]
    [InlineData(100, true)]
    public async Task Long_problem_of_the_application_goes_to_the_caller_whole(int length, bool toldApart)
    {
        using var cluster = new ScriptedCluster();
        var text = $$"""{"error":"outcome unknown","detail":"{{new string('x', length)}}"}""";
        cluster.Everywhere(_ => new HttpResponseMessage(HttpStatusCode.BadGateway) { Content = new Chunked(text) });
        if (toldApart)
        {
            await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => cluster.Client.PostAsync("/notes", content: null));
            return;
        }

        using var response = await cluster.Client.PostAsync("/notes", content: null);
        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal(text, await response.Content.ReadAsStringAsync());
        Assert.Single(cluster.Log);
    }

    [Fact]
    public async Task Answer_502_outcome_unknown_of_a_write_without_a_key_is_an_exception_that_nobody_retries()
    {
        using var cluster = new ScriptedCluster();
        cluster.Everywhere(Problem(502, "outcome unknown"), Ok(A));
        var error = await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => cluster.Client.PostAsync("/notes", content: null));
        Assert.IsNotAssignableFrom<HttpRequestException>(error);
        Assert.Contains("502 outcome unknown", error.Message, StringComparison.Ordinal);
        Assert.Null(error.IdempotencyKey);
        Assert.Single(cluster.Log);
    }

    [Fact]
    public async Task Write_of_unknown_outcome_is_sent_again_under_the_same_quoted_key()
    {
        using var cluster = new ScriptedCluster(o => o.AddIdempotencyKey = true);
        cluster.Everywhere(Problem(502, "outcome unknown"), Break, ToLeader(C), Ok(C));
        using var response = await cluster.Client.PostAsync("/notes", new StringContent("text"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(4, cluster.Log.Count);
        var key = Assert.Single(cluster.Log.Select(sent => sent.Header("Idempotency-Key")).Distinct());
        Assert.Matches("^\"[0-9a-f]{32}\"$", key);

        cluster.Forget();
        using var next = await cluster.Client.PostAsync("/notes", content: null);
        Assert.NotEqual(key, Assert.Single(cluster.Log).Header("Idempotency-Key"));
    }

    [Fact]
    public async Task Key_of_the_caller_is_kept_and_reads_get_none()
    {
        using var cluster = new ScriptedCluster(o => o.AddIdempotencyKey = true);
        using var write = new HttpRequestMessage(HttpMethod.Post, "/notes") { Headers = { { "Idempotency-Key", "\"mine\"" } } };
        using var written = await cluster.Client.SendAsync(write);
        await cluster.Client.GetStringAsync("/notes");
        Assert.Equal(["\"mine\"", null], cluster.Log.Select(sent => sent.Header("Idempotency-Key")));
    }

    [Fact]
    public async Task Write_without_a_key_is_never_sent_again_once_its_connection_broke()
    {
        using var cluster = new ScriptedCluster();
        cluster.Everywhere(Break, Ok(A));
        var error = await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => cluster.Client.PostAsync("/notes", content: null));
        Assert.Contains("may or may not have been executed", error.Message, StringComparison.Ordinal);
        Assert.Contains("connection reset", error.Message, StringComparison.Ordinal);
        Assert.IsType<HttpRequestException>(error.InnerException);
        Assert.Single(cluster.Log);
    }

    [Fact]
    public async Task Silent_node_holds_a_write_without_a_key_until_the_deadline()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy(A);
        await cluster.Client.GetStringAsync("/");
        cluster.On(A, (_, cancellation) => cluster.Time.HangAsync(cancellation));
        var start = cluster.Time.GetTimestamp();
        var error = await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => cluster.Client.PostAsync("/notes", content: null));
        Assert.Equal(30, cluster.Time.GetElapsedTime(start).TotalSeconds);
    }

    [Fact]
    public async Task Silent_node_holds_what_may_be_repeated_for_one_attempt_only()
    {
        using var cluster = new ScriptedCluster(o => o.AddIdempotencyKey = true);
        cluster.LedBy(A);
        await cluster.Client.GetStringAsync("/");
        cluster.LedBy(B, epoch: 8);
        cluster.On(A, (_, cancellation) => cluster.Time.HangAsync(cancellation));
        cluster.Forget();
        var start = cluster.Time.GetTimestamp();
        using var response = await cluster.Client.PostAsync("/notes", new StringContent("text"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal((A, B), (cluster.Path[0], cluster.Path[^1]));
        Assert.InRange(cluster.Time.GetElapsedTime(start).TotalSeconds, 10, 10.1);
    }

    [Fact]
    public async Task Conflict_with_Retry_After_behind_an_unknown_outcome_means_that_the_first_copy_still_runs()
    {
        using var cluster = new ScriptedCluster(o => o.AddIdempotencyKey = true);
        cluster.Everywhere(Break, Problem(409, "in progress", retryAfter: 1), Ok(A));
        using var response = await cluster.Client.PostAsync("/notes", content: null);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(3, cluster.Log.Count);
    }

    [Fact]
    public async Task Broken_read_is_tried_on_the_next_node_at_once()
    {
        using var cluster = new ScriptedCluster();
        cluster.Everywhere(Break, Break, Ok(A));
        await cluster.Client.GetStringAsync("/notes");
        Assert.Equal(3, cluster.Path.Distinct().Count());
        Assert.Empty(cluster.Time.Delays);
    }

    [Fact]
    public async Task Cancellation_of_the_caller_is_no_failure_of_a_node()
    {
        using var cluster = new ScriptedCluster();
        using var cancel = new CancellationTokenSource();
        cluster.Everywhere((Func<HttpRequestMessage, HttpResponseMessage>)(_ =>
        {
            cancel.Cancel();
            throw new OperationCanceledException(cancel.Token);
        }));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cluster.Client.GetAsync("/notes", cancel.Token));
        Assert.Single(cluster.Log);
    }

    [Fact]
    public async Task Error_that_is_not_of_the_transport_is_not_swallowed()
    {
        using var cluster = new ScriptedCluster();
        cluster.Everywhere((Func<HttpRequestMessage, HttpResponseMessage>)(_ => throw new FormatException("a bug")));
        await Assert.ThrowsAsync<FormatException>(() => cluster.Client.GetAsync("/notes"));
    }

    /// <summary>Of no length that is known beforehand, and read once.</summary>
    private sealed class Chunked : HttpContent
    {
        private readonly MemoryStream _stream;

        public Chunked(string text)
        {
            _stream = new MemoryStream(Encoding.UTF8.GetBytes(text));
            Headers.ContentType = new("application/problem+json");
        }

        protected override Task<Stream> CreateContentReadStreamAsync() => Task.FromResult<Stream>(_stream);

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => _stream.CopyToAsync(stream);

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
