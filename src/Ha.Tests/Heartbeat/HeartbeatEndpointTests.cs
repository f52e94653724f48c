using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Ha.Election;
using Ha.Heartbeat;
using Ha.Signing;
using Ha.Tests.Signing;

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
        Assert.Equal(SignatureVerdict.Valid, HeartbeatSignature.VerifyReply(Rings.Old, Headers(response.Headers), http, body, sent));
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
        using var request = Signed(host, Encoding.ASCII.GetBytes(new string(' ', BeatLimits.MaxBodyBytes + 1)));
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
        using var request = Signed(host, [.. _body, .. Enumerable.Repeat((byte)' ', BeatLimits.MaxBodyBytes - _body.Length)]);
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

    [Theory]
    [InlineData(SignatureHeaders.ContentDigestName)]
    [InlineData(SignatureHeaders.SignatureInputName)]
    [InlineData(SignatureHeaders.SignatureName)]
    public async Task A_request_without_one_of_the_signature_headers_gets_401(string name)
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        using var request = Signed(host, _body);
        request.Headers.Remove(name);

        using var response = await _http.SendAsync(request);

        await AssertRefused(host, response, 401, "unsigned");
    }

    [Theory]
    [InlineData(SignatureHeaders.ContentDigestName)]
    [InlineData(SignatureHeaders.SignatureInputName)]
    [InlineData(SignatureHeaders.SignatureName)]
    public async Task A_request_that_repeats_a_signature_header_gets_401(string name)
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        var headers = Headers(Signed(host, _body).Headers);
        var lines = string.Create(
            CultureInfo.InvariantCulture,
            $"POST /_ha/heartbeat HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n" +
            $"Content-Length: {_body.Length}\r\nContent-Digest: {headers.ContentDigest}\r\n" +
            $"Signature-Input: {headers.SignatureInput}\r\nSignature: {headers.Signature}\r\n");
        var repeated = name switch
        {
            SignatureHeaders.ContentDigestName => headers.ContentDigest,
            SignatureHeaders.SignatureInputName => headers.SignatureInput,
            _ => headers.Signature,
        };

        var once = await RawHttp.SendAsync(host.Url, $"{lines}\r\n{Encoding.ASCII.GetString(_body)}");
        var twice = await RawHttp.SendAsync(host.Url, $"{lines}{name}: {repeated}\r\n\r\n{Encoding.ASCII.GetString(_body)}");

        Assert.StartsWith("HTTP/1.1 200 ", once, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 401 ", twice, StringComparison.Ordinal);
        Assert.Contains("malformed_signature", twice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_body_under_the_same_headers_gets_401()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        using var request = Signed(host, _body);
        request.Content = Json(BeatJson.Serialize(Beats.Request(seq: 8)));

        using var response = await _http.SendAsync(request);

        await AssertRefused(host, response, 401, "wrong_digest");
    }

    [Fact]
    public async Task Another_body_with_its_own_digest_gets_401()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Old);
        var body = BeatJson.Serialize(Beats.Request(seq: 8));
        using var request = Signed(host, _body);
        using var other = Signed(host, body);
        request.Content = Json(body);
        request.Headers.Remove(SignatureHeaders.ContentDigestName);
        request.Headers.TryAddWithoutValidation(SignatureHeaders.ContentDigestName, Headers(other.Headers).ContentDigest);

        using var response = await _http.SendAsync(request);

        await AssertRefused(host, response, 401, "bad_signature");
    }

    [Fact]
    public async Task A_signature_by_a_key_that_is_not_ours_gets_401()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.New);
        using var request = Signed(host, _body);

        using var response = await _http.SendAsync(request);

        await AssertRefused(host, response, 401, "unknown_key");
    }

    [Fact]
    public async Task Without_any_key_and_without_permission_every_request_gets_401()
    {
        await using var host = await HeartbeatHost.StartAsync(Rings.Of());
        using var request = Signed(host, _body);

        using var response = await _http.SendAsync(request);

        await AssertRefused(host, response, 401, "unknown_key");
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

    private static async Task AssertRefused(HeartbeatHost host, HttpResponseMessage response, int status, string error)
    {
        Assert.Equal(status, (int)response.StatusCode);
        Assert.True(response.Headers.CacheControl!.NoStore);
        Assert.Equal(default, Headers(response.Headers));
        Assert.Equal(status == 401, response.Headers.WwwAuthenticate.Count > 0);
        Assert.Empty(host.Received);
        Assert.Equal(error, Assert.Single(host.Rejected));
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.ToString());
        if (response.RequestMessage!.Method != HttpMethod.Head)
        {
            using var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
            Assert.Equal(status, problem.RootElement.GetProperty("status").GetInt32());
            Assert.Equal(error, problem.RootElement.GetProperty("error").GetString());
        }
    }

    private static HttpRequestMessage Signed(HeartbeatHost host, byte[] body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, host.Url + HeartbeatSignature.Path) { Content = Json(body) };
        var signed = HeartbeatSignature.SignRequest(Rings.Old.Signer!, body, 1);
        request.Headers.TryAddWithoutValidation(SignatureHeaders.ContentDigestName, signed.ContentDigest);
        request.Headers.TryAddWithoutValidation(SignatureHeaders.SignatureInputName, signed.SignatureInput);
        request.Headers.TryAddWithoutValidation(SignatureHeaders.SignatureName, signed.Signature);
        return request;
    }

    private static ByteArrayContent Json(byte[] body) =>
        new(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };

    private static SignatureHeaders Headers(HttpHeaders headers) => new(
        Value(headers, SignatureHeaders.ContentDigestName),
        Value(headers, SignatureHeaders.SignatureInputName),
        Value(headers, SignatureHeaders.SignatureName));

    private static string? Value(HttpHeaders headers, string name) =>
        headers.NonValidated.TryGetValues(name, out var values) ? Assert.Single(values) : null;
}
