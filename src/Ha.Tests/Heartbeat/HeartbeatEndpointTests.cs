using System.Net;
using System.Text;
using Ha.Election;
using Ha.Heartbeat;
using Ha.Security;
using Ha.Tests.Security.Signing;
using static Ha.Tests.Heartbeat.HeartbeatRequests;

namespace Ha.Tests.Heartbeat;

public sealed class HeartbeatEndpointTests : IDisposable
{
    private static readonly byte[] _body = BeatJson.Serialize(Beats.Request());
    private readonly HttpClient _http = new(PeerHandler.Create(TimeSpan.FromSeconds(30)));

    public void Dispose() => _http.Dispose();

    [Theory]
    [InlineData(nameof(BeatStatus.Ok), 200)]
    [InlineData(nameof(BeatStatus.Conflict), 409)]
    [InlineData(nameof(BeatStatus.OtherCluster), 403)]
    [InlineData(nameof(BeatStatus.NotMember), 403)]
    [InlineData(nameof(BeatStatus.DuplicateId), 403)]
    [InlineData(nameof(BeatStatus.ConfigMismatch), 412)]
    public async Task Every_status_of_the_election_is_signed_and_bound_to_its_request(string name, int http)
    {
        var status = Enum.Parse<BeatStatus>(name);
        await using var host = await HeartbeatHost.StartAsync(Rings.Old, _ => Beats.Reply(status));
        using var request = Signed(host, _body);
        var sent = Headers(request.Headers);

        using var response = await _http.SendAsync(request);
        var body = await response.Content.ReadAsByteArrayAsync();

        Assert.Equal(http, (int)response.StatusCode);
        Assert.Equal("application/json", response.Content.Headers.ContentType!.ToString());
        Assert.True(response.Headers.CacheControl!.NoStore);
        Assert.Equal(SignatureVerdict.Valid, HeartbeatSignature.VerifyReply(Rings.Old, Headers(response.Headers), http, body, sent, out _));
        Assert.True(BeatJson.TryParse(body, out BeatReply? reply, out _));
        Assert.Equal(Beats.Reply(status), reply);
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    [InlineData("PUT")]
    [InlineData("OPTIONS")]
    [InlineData("BREW")]
    public async Task Another_method_gets_405_and_is_told_the_right_one(string method)
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        using var request = Signed(host, _body);
        request.Method = new HttpMethod(method);

        using var response = await _http.SendAsync(request);

        Assert.Equal(["POST"], response.Content.Headers.Allow);
        await AssertRefused(host, response, 405, "method_not_allowed");
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/jsonp")]
    [InlineData("application/grpc")]
    [InlineData("application/json; charset=utf-16")]
    [InlineData("nonsense")]
    [InlineData(null)]
    public async Task A_body_that_is_not_JSON_gets_415(string? type)
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        using var request = Signed(host, _body);
        request.Content!.Headers.Remove("Content-Type");
        request.Content.Headers.TryAddWithoutValidation("Content-Type", type);

        using var response = await _http.SendAsync(request);

        await AssertRefused(host, response, 415, "not_json");
    }

    [Fact]
    public async Task A_content_coding_gets_415()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        using var request = Signed(host, _body);
        request.Content!.Headers.ContentEncoding.Add("gzip");

        using var response = await _http.SendAsync(request);

        await AssertRefused(host, response, 415, "not_json");
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("Application/JSON")]
    [InlineData("application/json; charset=utf-8")]
    [InlineData("application/json;charset=\"UTF-8\"")]
    public async Task JSON_in_any_spelling_of_its_type_is_taken(string type)
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        using var request = Signed(host, _body);
        request.Content!.Headers.Remove("Content-Type");
        request.Content.Headers.TryAddWithoutValidation("Content-Type", type);

        using var response = await _http.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_body_over_16_KiB_gets_413_with_and_without_a_declared_length(bool chunked)
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        using var request = Signed(host, Encoding.ASCII.GetBytes(new string(' ', BeatJson.MaxBodyBytes + 1)));
        request.Headers.TransferEncodingChunked = chunked;

        using var response = await _http.SendAsync(request);

        Assert.Contains("close", response.Headers.Connection, StringComparer.Ordinal);
        await AssertRefused(host, response, 413, "too_large");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_body_of_16_KiB_is_read_with_and_without_a_declared_length(bool chunked)
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        using var request = Signed(host, [.. _body, .. Enumerable.Repeat((byte)' ', BeatJson.MaxBodyBytes - _body.Length)]);
        request.Headers.TransferEncodingChunked = chunked;

        using var response = await _http.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(Beats.Request(), Assert.Single(host.Received));
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("{}")]
    [InlineData("[]")]
    public async Task A_signed_body_that_is_no_heartbeat_gets_400(string body)
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        using var request = Signed(host, Encoding.ASCII.GetBytes(body));

        using var response = await _http.SendAsync(request);

        await AssertRefused(host, response, 400, "malformed");
    }

    [Fact]
    public async Task In_unsigned_mode_nothing_is_asked_for_and_nothing_is_signed()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Unsigned);

        using var response = await _http.PostAsync(new Uri(host.Url + HeartbeatSignature.Path), Json(_body));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(default, Headers(response.Headers));
        Assert.Equal(Beats.Request(), Assert.Single(host.Received));
    }

    [Fact]
    public async Task A_refusal_repeats_nothing_of_the_request_and_no_secret()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        using var request = Signed(host, "{\"<script>\":1}"u8.ToArray());

        using var response = await _http.SendAsync(request);
        var text = $"{response} {await response.Content.ReadAsStringAsync()}";

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.DoesNotContain("script", text, StringComparison.Ordinal);
        Assert.DoesNotContain(Rings.OldSecret, text, StringComparison.Ordinal);
    }
}
