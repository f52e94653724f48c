using System.Globalization;
using System.Text;
using Ha.Heartbeat;
using Ha.Security;
using Ha.Tests.Security.Signing;
using static Ha.Tests.Heartbeat.HeartbeatRequests;

namespace Ha.Tests.Heartbeat;

/// <summary>Every way to be turned away with 401, over real sockets.</summary>
public class HeartbeatAuthenticationTests
{
    private static readonly byte[] _body = BeatJson.Serialize(Beats.Request());
    private static readonly byte[] _otherBody = BeatJson.Serialize(Beats.Request(seq: 8));

    [Theory]
    [InlineData(SignatureHeaders.ContentDigestName)]
    [InlineData(SignatureHeaders.SignatureInputName)]
    [InlineData(SignatureHeaders.SignatureName)]
    public Task A_request_without_one_of_the_signature_headers_gets_401(string name) =>
        AssertRefusedAsync(401, "unsigned", _body, request => request.Headers.Remove(name));

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
    public Task Another_body_under_the_same_headers_gets_401() =>
        AssertRefusedAsync(401, "wrong_digest", _body, request => request.Content = Json(_otherBody));

    [Fact]
    public Task Another_body_with_its_own_digest_gets_401() => AssertRefusedAsync(401, "bad_signature", _body, request =>
    {
        var other = HeartbeatSignature.SignRequest(Rings.Old.Signer!, _otherBody, 1);
        request.Content = Json(_otherBody);
        request.Headers.Remove(SignatureHeaders.ContentDigestName);
        request.Headers.TryAddWithoutValidation(SignatureHeaders.ContentDigestName, other.ContentDigest);
    });

    [Fact]
    public Task A_signature_by_a_key_that_is_not_ours_gets_401() =>
        AssertRefusedAsync(401, "unknown_key", _body, _ => { }, Rings.New);

    [Fact]
    public Task Without_any_key_and_without_permission_every_request_gets_401() =>
        AssertRefusedAsync(401, "unknown_key", _body, _ => { }, Rings.Of());
}
