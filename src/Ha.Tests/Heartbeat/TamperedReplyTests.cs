using System.Text;
using Ha.Election;
using Ha.Heartbeat;
using Ha.Leadership;
using Ha.Security;
using Ha.Tests.Security.Signing;
using Microsoft.AspNetCore.Http;
using static Ha.Tests.Heartbeat.Exchanges;

namespace Ha.Tests.Heartbeat;

/// <summary>Somebody between two nodes, or a server that is not a node, against <see cref="PeerClient"/>.</summary>
public class TamperedReplyTests
{
    [Fact]
    public async Task A_changed_body_is_not_taken() =>
        AssertUnverified("wrong_digest", await AfterAsync(reply => reply.Body[^2] ^= 1));

    [Fact]
    public async Task A_changed_body_with_its_own_digest_is_not_taken() =>
        AssertUnverified("bad_signature", await AfterAsync(reply =>
        {
            reply.Body = BeatJson.Serialize(Beats.Reply() with { Granted = false });
            reply.Headers[SignatureHeaders.ContentDigestName] = ContentDigest.Of(reply.Body);
        }));

    [Fact]
    public async Task A_changed_status_is_not_taken() =>
        AssertUnverified("bad_signature", await AfterAsync(reply => reply.Status = 409));

    [Fact]
    public async Task A_changed_signature_is_not_taken() =>
        AssertUnverified("bad_signature", await AfterAsync(reply =>
        {
            var signature = reply.Headers[SignatureHeaders.SignatureName];
            reply.Headers[SignatureHeaders.SignatureName] = $"ha=:{(signature[4] == 'A' ? 'B' : 'A')}{signature[5..]}";
        }));

    [Theory]
    [InlineData(SignatureHeaders.ContentDigestName)]
    [InlineData(SignatureHeaders.SignatureInputName)]
    [InlineData(SignatureHeaders.SignatureName)]
    public async Task A_header_taken_away_makes_the_reply_unsigned(string name) =>
        AssertUnverified("unsigned", await AfterAsync(reply => reply.Headers.Remove(name)));

    [Fact]
    public async Task The_reply_to_another_request_is_not_taken()
    {
        await using var host = await HeartbeatHost.StartAsync(
            Rings.Old, beat => Beats.Reply(seq: beat.Seq), Meddle(_ => { }, (_, kept) => kept));
        using var handler = PeerHandler.Create(TimeSpan.FromSeconds(30));
        using var client = new PeerClient(handler, new KeySource(Rings.Old));
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));

        Assert.Equal(ExchangeFailure.None, (await client.SendAsync(host.Url, Beats.Request(7), limit.Token)).Failure);
        AssertUnverified("bad_signature", await client.SendAsync(host.Url, Beats.Request(8), limit.Token));
    }

    [Theory]
    [InlineData(200)]
    [InlineData(403)]
    [InlineData(409)]
    [InlineData(412)]
    public async Task A_strangers_answer_is_not_taken_whatever_its_status(int status) =>
        AssertUnverified("unsigned", await AfterAsync(reply =>
        {
            reply.Status = status;
            reply.Headers.Clear();
            reply.Body = "<html>"u8.ToArray();
        }));

    [Theory]
    [InlineData(204, "unexpected_status")]
    [InlineData(404, "unexpected_status")]
    [InlineData(500, "unexpected_status")]
    [InlineData(408, "unavailable")]
    [InlineData(429, "unavailable")]
    [InlineData(502, "unavailable")]
    [InlineData(503, "unavailable")]
    [InlineData(504, "unavailable")]
    public async Task A_status_that_carries_no_message_is_a_failure_even_when_signed(int status, string reason)
    {
        var exchange = await AfterAsync(reply => reply.Status = status);

        Assert.Equal((reason, null), (exchange.Reason, exchange.Reply));
        Assert.Contains($"{status}", exchange.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_redirect_is_not_followed()
    {
        var asked = 0;
        await using var host = await HeartbeatHost.StartAsync(Rings.Old, meddle: (context, _) =>
        {
            asked++;
            context.Response.StatusCode = 307;
            context.Response.Headers.Location = "/_ha/heartbeat";
            return Task.CompletedTask;
        });

        Assert.Equal(ExchangeFailure.UnexpectedStatus, (await SendAsync(host, Rings.Old)).Failure);
        Assert.Equal(1, asked);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_answer_over_16_KiB_is_given_up_with_and_without_a_declared_length(bool declared)
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old, meddle: async (context, _) =>
        {
            var body = new byte[BeatJson.MaxBodyBytes + 1];
            context.Response.ContentLength = declared ? body.Length : null;
            await context.Response.Body.WriteAsync(body);
        });

        Assert.Equal(ExchangeFailure.TooLarge, (await SendAsync(host, Rings.Old)).Failure);
    }

    [Fact]
    public async Task An_answer_without_end_is_given_up()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old, meddle: async (context, _) =>
        {
            var body = new byte[4096];
            while (!context.RequestAborted.IsCancellationRequested)
            {
                await context.Response.Body.WriteAsync(body);
            }
        });

        Assert.Equal(ExchangeFailure.TooLarge, (await SendAsync(host, Rings.Old)).Failure);
    }

    [Fact]
    public async Task A_header_bomb_breaks_the_exchange_only()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old, meddle: (context, _) =>
        {
            context.Response.Headers["X-Bomb"] = new string('x', 64 * 1024);
            return Task.CompletedTask;
        });

        Assert.Equal(ExchangeFailure.Broken, (await SendAsync(host, Rings.Old)).Failure);
    }

    [Fact]
    public async Task A_connection_that_breaks_within_the_answer_is_a_failure()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old, meddle: async (context, _) =>
        {
            context.Response.ContentLength = 100;
            await context.Response.Body.WriteAsync("{"u8.ToArray());
            await context.Response.Body.FlushAsync();
            context.Abort();
        });

        Assert.Equal(ExchangeFailure.Broken, (await SendAsync(host, Rings.Old)).Failure);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("{}")]
    public async Task A_signed_answer_that_is_no_reply_is_malformed(string body)
    {
        await using var host = await StartSignerAsync(200, Encoding.ASCII.GetBytes(body));

        Assert.Equal(ExchangeFailure.Malformed, (await SendAsync(host, Rings.Old)).Failure);
    }

    [Fact]
    public async Task A_signed_reply_whose_two_statuses_differ_is_malformed()
    {
        await using var host = await StartSignerAsync(200, BeatJson.Serialize(Beats.Reply(BeatStatus.Conflict)));

        Assert.Equal(ExchangeFailure.Malformed, (await SendAsync(host, Rings.Old)).Failure);
    }

    private static void AssertUnverified(string verdict, BeatExchange exchange)
    {
        Assert.Equal(ExchangeFailure.Unverified, exchange.Failure);
        Assert.Null(exchange.Reply);
        Assert.EndsWith(verdict, exchange.Detail, StringComparison.Ordinal);
    }

    /// <summary>A peer that signs whatever it is told to.</summary>
    private static Task<HeartbeatHost> StartSignerAsync(int status, byte[] body) =>
        HeartbeatHost.StartAsync(Rings.Old, meddle: async (context, _) =>
        {
            var request = new SignatureHeaders("", "", context.Request.Headers[SignatureHeaders.SignatureName]);
            var signed = HeartbeatSignature.SignReply(Rings.Old.Signer!, status, body, request, 1);
            context.Response.StatusCode = status;
            context.Response.Headers[SignatureHeaders.ContentDigestName] = signed.ContentDigest;
            context.Response.Headers[SignatureHeaders.SignatureInputName] = signed.SignatureInput;
            context.Response.Headers[SignatureHeaders.SignatureName] = signed.Signature;
            await context.Response.Body.WriteAsync(body);
        });

    /// <summary>One exchange whose good reply is changed on its way back.</summary>
    private static async Task<BeatExchange> AfterAsync(Action<Answer> change)
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old, meddle: Meddle(change, (answer, _) => answer));
        return await SendAsync(host, Rings.Old);
    }

    private static Func<HttpContext, RequestDelegate, Task> Meddle(Action<Answer> see, Func<Answer, Answer, Answer> choose)
    {
        Answer? kept = null;
        return async (context, next) =>
        {
            var wire = context.Response.Body;
            using var body = new MemoryStream();
            context.Response.Body = body;
            await next(context);
            context.Response.Body = wire;

            var answer = new Answer { Status = context.Response.StatusCode, Body = body.ToArray() };
            foreach (var name in new[] { SignatureHeaders.ContentDigestName, SignatureHeaders.SignatureInputName, SignatureHeaders.SignatureName })
            {
                answer.Headers[name] = context.Response.Headers[name].ToString();
                context.Response.Headers.Remove(name);
            }

            see(answer);
            answer = choose(answer, kept ??= answer);
            context.Response.StatusCode = answer.Status;
            context.Response.ContentLength = answer.Status == 204 ? null : answer.Body.Length;
            foreach (var (name, value) in answer.Headers)
            {
                context.Response.Headers[name] = value;
            }

            if (answer.Status != 204)
            {
                await wire.WriteAsync(answer.Body);
            }
        };
    }

    private sealed class Answer
    {
        public int Status { get; set; }

        public required byte[] Body { get; set; }

        public Dictionary<string, string> Headers { get; } = new(StringComparer.Ordinal);
    }
}
