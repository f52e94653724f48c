using System.Text;
using Ha.Heartbeat;
using Ha.Security;
using Ha.Tests.Security.Signing;

namespace Ha.Tests.Heartbeat;

/// <summary>Clients that do not keep to HTTP, over real sockets.</summary>
public class HostileBodyTests
{
    private static readonly byte[] _body = BeatJson.Serialize(Beats.Request());

    [Fact]
    public async Task A_signed_body_that_stops_half_way_gets_408_and_the_connection_ends()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old, bodyTimeLimit: TimeSpan.FromMilliseconds(100));

        var answer = await RawHttp.SendAsync(host.Url, Head($"Content-Length: {_body.Length}") + "{\"from\"");

        Assert.StartsWith("HTTP/1.1 408 ", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close\r\n", answer, StringComparison.Ordinal);
        Assert.Equal("too_slow", Assert.Single(host.Rejected));
        Assert.Empty(host.Received);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    public async Task A_sender_that_gives_up_in_the_middle_is_no_reason_for_a_report(int sent)
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);

        var answer = await RawHttp.SendAsync(
            host.Url, Head($"Content-Length: {_body.Length}") + Encoding.ASCII.GetString(_body.AsSpan(0, sent)), finish: true);

        Assert.DoesNotContain("400", answer, StringComparison.Ordinal);
        Assert.Empty(host.Rejected);
        Assert.Empty(host.Received);
    }

    [Fact]
    public async Task A_chunked_body_that_stops_half_way_gets_408()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old, bodyTimeLimit: TimeSpan.FromMilliseconds(100));

        var answer = await RawHttp.SendAsync(host.Url, Head("Transfer-Encoding: chunked") + "7\r\n{\"from\"\r\n");

        Assert.StartsWith("HTTP/1.1 408 ", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_caller_without_a_key_is_answered_before_its_body_arrives()
    {
        // The limit on bodies is far away: whoever waits for this body fails the test by its deadline.
        await using var host = await HeartbeatHost.StartAsync(Rings.New, bodyTimeLimit: TimeSpan.FromHours(1));

        var answer = await RawHttp.SendAsync(host.Url, Head($"Content-Length: {_body.Length}", "Connection: close"));

        Assert.StartsWith("HTTP/1.1 401 ", answer, StringComparison.Ordinal);
        Assert.Contains("WWW-Authenticate: Signature", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_in_many_small_chunks_is_taken()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        var chunks = string.Concat(Encoding.ASCII.GetString(_body).Select(c => $"1\r\n{c}\r\n"));

        var answer = await RawHttp.SendAsync(host.Url, Head("Transfer-Encoding: chunked", "Connection: close") + chunks + "0\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.Equal(Beats.Request(), Assert.Single(host.Received));
    }

    [Fact]
    public async Task A_bad_chunk_gets_400()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);

        var answer = await RawHttp.SendAsync(host.Url, Head("Transfer-Encoding: chunked", "Connection: close") + "zz\r\n{}\r\n0\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.Empty(host.Received);
    }

    [Fact]
    public async Task A_length_beside_a_transfer_coding_never_becomes_a_message_of_two_lengths()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);

        await RawHttp.SendAsync(
            host.Url, Head($"Content-Length: {_body.Length}", "Transfer-Encoding: chunked", "Connection: close") + "0\r\n\r\n");

        Assert.Empty(host.Received);
    }

    [Fact]
    public async Task A_header_bomb_is_refused_by_the_server()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        var bomb = string.Concat(Enumerable.Range(0, 5000).Select(i => $"X-{i}: {i}\r\n"));

        var answer = await RawHttp.SendAsync(host.Url, Head($"Content-Length: {_body.Length}", bomb + "Connection: close"));

        Assert.True(answer.Length == 0 || answer.StartsWith("HTTP/1.1 431 ", StringComparison.Ordinal), answer);
        Assert.Empty(host.Received);
    }

    [Fact]
    public async Task Signature_headers_of_30_KiB_are_refused_unread()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        var text = Head($"Content-Length: {_body.Length}", "Connection: close")
            .Replace("Signature: ha=:", "Signature: ha=:" + new string('A', 28 * 1024), StringComparison.Ordinal);

        var answer = await RawHttp.SendAsync(host.Url, text + Encoding.ASCII.GetString(_body));

        Assert.StartsWith("HTTP/1.1 401 ", answer, StringComparison.Ordinal);
        Assert.Equal("malformed_signature", Assert.Single(host.Rejected));
    }

    [Fact]
    public async Task The_endpoint_still_works_after_clients_that_vanish_within_the_body()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        for (var i = 0; i < 20; i++)
        {
            await RawHttp.SendAndCloseAsync(host.Url, Head($"Content-Length: {_body.Length}") + "{\"from\"");
        }

        var answer = await RawHttp.SendAsync(
            host.Url, Head($"Content-Length: {_body.Length}", "Connection: close") + Encoding.ASCII.GetString(_body));

        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.Single(host.Received);
    }

    private static string Head(params string[] more)
    {
        var signed = HeartbeatSignature.SignRequest(Rings.Old.Signer!, _body, 1);
        return new StringBuilder("POST /_ha/heartbeat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
            .Append("Content-Digest: ").Append(signed.ContentDigest).Append("\r\n")
            .Append("Signature-Input: ").Append(signed.SignatureInput).Append("\r\n")
            .Append("Signature: ").Append(signed.Signature).Append("\r\n")
            .AppendJoin("\r\n", more).Append("\r\n\r\n")
            .ToString();
    }
}
