using System.Net.Http.Headers;
using System.Text.Json;
using Ha.Heartbeat;
using Ha.Security;
using Ha.Tests.Security.Signing;

namespace Ha.Tests.Heartbeat;

/// <summary>Signed requests as <see cref="HttpClient"/> sends them, and what a refusal must look like.</summary>
internal static class HeartbeatRequests
{
    public static HttpRequestMessage Signed(HeartbeatHost host, byte[] body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, host.Url + HeartbeatSignature.Path) { Content = Json(body) };
        var signed = HeartbeatSignature.SignRequest(Rings.Old.Signer!, body, 1);
        request.Headers.TryAddWithoutValidation(SignatureHeaders.ContentDigestName, signed.ContentDigest);
        request.Headers.TryAddWithoutValidation(SignatureHeaders.SignatureInputName, signed.SignatureInput);
        request.Headers.TryAddWithoutValidation(SignatureHeaders.SignatureName, signed.Signature);
        return request;
    }

    public static ByteArrayContent Json(byte[] body) =>
        new(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };

    public static SignatureHeaders Headers(HttpHeaders headers) => new(
        Value(headers, SignatureHeaders.ContentDigestName),
        Value(headers, SignatureHeaders.SignatureInputName),
        Value(headers, SignatureHeaders.SignatureName));

    public static string? Value(HttpHeaders headers, string name) =>
        headers.NonValidated.TryGetValues(name, out var values) ? Assert.Single(values) : null;

    /// <summary>A signed request after a change, to an endpoint with these keys, is refused.</summary>
    public static async Task AssertRefusedAsync(int status, string error, byte[] body, Action<HttpRequestMessage> change, KeyRing? keys = null)
    {
        await using var host = await HeartbeatHost.StartAsync(keys ?? Rings.Old);
        using var http = new HttpClient(PeerHandler.Create(TimeSpan.FromSeconds(30)));
        using var request = Signed(host, body);
        change(request);
        using var response = await http.SendAsync(request);
        await AssertRefused(host, response, status, error);
    }

    public static async Task AssertRefused(HeartbeatHost host, HttpResponseMessage response, int status, string error)
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
}
