using System.Net;
using Ha.Election;
using Ha.Heartbeat;
using Ha.Leadership;
using Ha.Security;
using Ha.Tests.Security.Signing;
using static Ha.Tests.Heartbeat.Exchanges;

namespace Ha.Tests.Heartbeat;

public sealed class PeerClientTests : IDisposable
{
    private readonly HttpMessageHandler _handler = PeerHandler.Create(TimeSpan.FromSeconds(30));

    public void Dispose() => _handler.Dispose();

    [Theory]
    [InlineData(nameof(BeatStatus.Ok))]
    [InlineData(nameof(BeatStatus.Conflict))]
    [InlineData(nameof(BeatStatus.OtherCluster))]
    [InlineData(nameof(BeatStatus.NotMember))]
    [InlineData(nameof(BeatStatus.DuplicateId))]
    [InlineData(nameof(BeatStatus.ConfigMismatch))]
    public async Task A_signed_beat_gets_its_signed_reply_whatever_the_status(string name)
    {
        var status = Enum.Parse<BeatStatus>(name);
        await using var host = await HeartbeatHost.StartAsync(Rings.Old, beat => Beats.Reply(status, beat.Seq));

        var exchange = await SendAsync(host, Rings.Old);

        Assert.Equal(BeatExchange.Answered(Beats.Reply(status)), exchange);
        Assert.Equal(Beats.Request(), Assert.Single(host.Received));
    }

    [Fact]
    public async Task The_signature_can_be_verified_with_any_of_the_keys()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Of(Rings.NewSecret, Rings.OldSecret));

        Assert.Equal(ExchangeFailure.None, (await SendAsync(host, Rings.Of(Rings.OldSecret, Rings.NewSecret))).Failure);
        Assert.Equal(ExchangeFailure.None, (await SendAsync(host, Rings.New)).Failure);

        // The request is taken, but its reply is signed with a key that this client does not have yet.
        Assert.Equal(ExchangeFailure.Unverified, (await SendAsync(host, Rings.Old)).Failure);
    }

    [Fact]
    public async Task A_peer_with_other_keys_answers_401()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.New);

        var exchange = await SendAsync(host, Rings.Old);

        Assert.Equal(ExchangeFailure.Unauthorized, exchange.Failure);
        Assert.Contains("BASE_CLUSTER_SECRET", exchange.Detail, StringComparison.Ordinal);
        Assert.Empty(host.Received);
    }

    [Fact]
    public async Task Without_a_key_nothing_is_sent()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Unsigned);

        Assert.Equal(ExchangeFailure.NoKey, (await SendAsync(host, Rings.Of())).Failure);
        Assert.Empty(host.Received);
    }

    [Fact]
    public async Task Unsigned_nodes_understand_each_other_and_a_signed_node_takes_no_unsigned_reply()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Unsigned);

        Assert.Equal(BeatExchange.Answered(Beats.Reply()), await SendAsync(host, Rings.Unsigned));
        Assert.Equal(ExchangeFailure.Unverified, (await SendAsync(host, Rings.Old)).Failure);
    }

    [Fact]
    public async Task An_unsigned_node_is_refused_by_a_signed_one()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);

        Assert.Equal(ExchangeFailure.Unauthorized, (await SendAsync(host, Rings.Unsigned)).Failure);
        Assert.Equal("unsigned", Assert.Single(host.Rejected));
    }

    [Fact]
    public async Task A_hundred_exchanges_at_once_each_get_their_own_reply()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        using var client = new PeerClient(_handler, new KeySource(Rings.Old));
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));

        var exchanges = await Task.WhenAll(Enumerable.Range(1, 100)
            .Select(seq => client.SendAsync(host.Url, Beats.Request(seq), limit.Token)));

        Assert.Equal(Enumerable.Range(1, 100).Select(seq => BeatExchange.Answered(Beats.Reply(seq: seq))), exchanges);
    }

    [Fact]
    public async Task A_peer_that_takes_no_connection_is_unreachable()
    {
        var host = await HeartbeatHost.StartAsync(Rings.Old);
        await host.DisposeAsync();

        Assert.Equal(ExchangeFailure.Unreachable, (await SendAsync(host, Rings.Old)).Failure);
    }

    [Theory]
    [InlineData(HttpRequestError.NameResolutionError, nameof(ExchangeFailure.Unreachable))]
    [InlineData(HttpRequestError.SecureConnectionError, nameof(ExchangeFailure.Tls))]
    [InlineData(HttpRequestError.InvalidResponse, nameof(ExchangeFailure.Broken))]
    [InlineData(HttpRequestError.ResponseEnded, nameof(ExchangeFailure.Broken))]
    public async Task A_failure_of_the_transport_is_a_value(HttpRequestError error, string failure)
    {
        using var handler = new Throws(() => new HttpRequestException(error));
        using var client = new PeerClient(handler, new KeySource(Rings.Old));

        var exchange = await client.SendAsync("http://node-2:8080", Beats.Request(), CancellationToken.None);

        Assert.Equal(Enum.Parse<ExchangeFailure>(failure), exchange.Failure);
    }

    [Fact]
    public async Task A_connect_timeout_is_unreachable_and_not_the_callers_time_limit()
    {
        using var handler = new Throws(() => new TaskCanceledException("connect", new TimeoutException()));
        using var client = new PeerClient(handler, new KeySource(Rings.Old));

        var exchange = await client.SendAsync("http://node-2:8080", Beats.Request(), CancellationToken.None);

        Assert.Equal(ExchangeFailure.Unreachable, exchange.Failure);
    }

    [Fact]
    public async Task A_peer_that_takes_http2_only_is_asked_so_at_once_and_from_then_on_until_that_fails()
    {
        var versions = new List<int>();
        using var handler = new Answers(request =>
        {
            versions.Add(request.Version.Major);
            return request.Version.Major < 2
                ? new HttpResponseMessage(HttpStatusCode.BadRequest) { Content = new StringContent("An HTTP/1.x request was sent to an HTTP/2 only endpoint.") }
                : versions.Count < 4 ? new HttpResponseMessage(HttpStatusCode.NotFound)
                : throw new HttpRequestException(HttpRequestError.VersionNegotiationError);
        });
        using var client = new PeerClient(handler, new KeySource(Rings.Old));

        for (var beat = 1; beat <= 4; beat++)
        {
            await client.SendAsync("http://node-2:8080", Beats.Request(beat), CancellationToken.None);
        }

        Assert.Equal([1, 2, 2, 2, 1, 2], versions);
    }

    [Fact]
    public async Task An_applications_own_answer_of_the_same_words_changes_nothing()
    {
        var versions = new List<int>();
        using var handler = new Answers(request =>
        {
            versions.Add(request.Version.Major);
            return new HttpResponseMessage(HttpStatusCode.BadRequest)
            {
                Headers = { Date = DateTimeOffset.UnixEpoch },
                Content = new StringContent("An HTTP/1.x request was sent to an HTTP/2 only endpoint."),
            };
        });
        using var client = new PeerClient(handler, new KeySource(Rings.Old));

        await client.SendAsync("http://node-2:8080", Beats.Request(), CancellationToken.None);
        await client.SendAsync("http://node-2:8080", Beats.Request(2), CancellationToken.None);

        Assert.Equal([1, 1], versions);
    }

    [Fact]
    public void Every_failure_has_a_word_of_its_own()
    {
        var words = Enum.GetValues<ExchangeFailure>().Select(failure => BeatExchange.Failed(failure, "").Reason).ToList();

        Assert.Equal(words.Count, words.Distinct(StringComparer.Ordinal).Count());
        Assert.All(words, word => Assert.Matches("^[a-z_]+$", word));
    }

    [Fact]
    public void The_default_handler_follows_no_redirect_and_uses_no_proxy_cookies_or_trace_headers()
    {
        using var handler = PeerHandler.Create(TimeSpan.FromSeconds(3));

        Assert.Equal(TimeSpan.FromSeconds(3), handler.ConnectTimeout);
        Assert.False(handler.AllowAutoRedirect);
        Assert.False(handler.UseProxy);
        Assert.False(handler.UseCookies);
        Assert.Null(handler.ActivityHeadersPropagator);
    }

    [Fact]
    public async Task A_peer_that_does_not_answer_in_time_is_timed_out()
    {
        using var limit = new CancellationTokenSource();
        var forever = new TaskCompletionSource();
        await using var host = await HeartbeatHost.StartAsync(Rings.Old, meddle: (_, _) =>
        {
            limit.Cancel();
            return forever.Task;
        });
        using var client = new PeerClient(_handler, new KeySource(Rings.Old));

        var exchange = await client.SendAsync(host.Url, Beats.Request(), limit.Token);

        Assert.Equal(ExchangeFailure.TimedOut, exchange.Failure);
        forever.SetResult();
    }

    private sealed class Answers(Func<HttpRequestMessage, HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            await Task.Yield();
            return answer(request);
        }
    }

    private sealed class Throws(Func<Exception> exception) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromException<HttpResponseMessage>(exception());
    }
}
