using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Ha.Configuration;
using Ha.Election;
using Ha.Http;
using Ha.Leadership;
using Ha.Security;
using Microsoft.Extensions.Primitives;

namespace Ha.Heartbeat;

/// <summary>Sends heartbeats and trusts nothing in an answer that is not signed for exactly that request. Thread-safe.</summary>
/// <param name="handler">Must not follow redirects or use cookies or a proxy, see <see cref="PeerHandler"/>; stays the caller's.</param>
/// <param name="source">The first key signs requests, all verify replies.</param>
/// <param name="addresses">Told of who answers where; null: nobody is.</param>
internal sealed class PeerClient(HttpMessageHandler handler, KeySource source, MemberAddresses? addresses = null) : IDisposable
{
    private static readonly MediaTypeHeaderValue _json = new("application/json");

    private readonly HttpMessageInvoker _http = new(handler, disposeHandler: false);
    private readonly Http2OnlyPeers _http2Only = new();

    public void Dispose() => _http.Dispose();

    /// <param name="peerUrl">The peer's normalised base URL.</param>
    /// <param name="beat">The message; its wall time also becomes <c>created</c>.</param>
    /// <param name="cancellationToken">The time limit of this exchange.</param>
    /// <returns>Every failure as a value. Does not throw for anything a peer or the network does.</returns>
    public async Task<BeatExchange> SendAsync(string peerUrl, Beat beat, CancellationToken cancellationToken)
    {
        var url = new Uri(peerUrl + HaRoutes.Heartbeat);
        var exchange = await ExchangeAsync(peerUrl, url, beat, cancellationToken);
        switch (exchange.Failure)
        {
            case ExchangeFailure.NoKey:
                break;
            case ExchangeFailure.None:
                // Another member, or another cluster with the same key, signs as well.
                var from = exchange.Reply!.From;
                addresses?.Answered(url, byMember: from.Target == peerUrl && from.ClusterId == beat.From.ClusterId);
                break;
            case ExchangeFailure.Unauthorized or ExchangeFailure.UnexpectedStatus or ExchangeFailure.TooLarge
                or ExchangeFailure.Unverified or ExchangeFailure.WrongNode or ExchangeFailure.Malformed:
                addresses?.Answered(url, byMember: false);
                break;
            default:
                addresses?.Silent(url);
                break;
        }

        return exchange;
    }

    private async Task<BeatExchange> ExchangeAsync(string peerUrl, Uri url, Beat beat, CancellationToken cancellationToken)
    {
        var keys = source.Current;
        if (keys.Signer is null && !keys.Unsigned)
        {
            return BeatExchange.Failed(ExchangeFailure.NoKey, "there is no key to sign with");
        }

        var body = BeatJson.Serialize(beat);
        var http2 = _http2Only.Contains(peerUrl);
        using var request = new HttpRequestMessage(HttpMethod.Post, url)
        {
            // HTTP/1.1 where the peer takes it, because a timed-out exchange then takes its connection along. One HTTP/2
            // connection to a host that vanished is reused until its pings have told (see PeerHandler).
            Version = http2 ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = http2 ? HttpVersionPolicy.RequestVersionExact : HttpVersionPolicy.RequestVersionOrLower,
            Content = new ByteArrayContent(body) { Headers = { ContentType = _json } },
        };
        var signature = Sign(keys.Signer, request, beat, body);
        try
        {
            using var response = await _http.SendAsync(request, cancellationToken);
            if (!http2 && await _http2Only.AddIfRefusedAsync(peerUrl, response, cancellationToken))
            {
                return await ExchangeAsync(peerUrl, url, beat, cancellationToken);
            }

            return await ReadAsync(response, signature, beat.From.ClusterId, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return BeatExchange.Failed(ExchangeFailure.TimedOut, "no answer in time");
        }
        catch (OperationCanceledException)
        {
            return BeatExchange.Failed(ExchangeFailure.Unreachable, "connecting took too long");
        }
        catch (HttpRequestException e)
        {
            // Its successor at this address may take HTTP/1.1 again.
            _http2Only.Forget(peerUrl);
            return Failed(e);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            return BeatExchange.Failed(ExchangeFailure.Broken, "the connection broke within the answer");
        }
    }

    private static SignatureHeaders Sign(HaKey? key, HttpRequestMessage request, Beat beat, byte[] body)
    {
        if (key is null)
        {
            return default;
        }

        var signed = HeartbeatSignature.SignRequest(key, body, beat.From.WallMicros / 1_000_000);
        request.Headers.TryAddWithoutValidation(SignatureHeaders.ContentDigestName, signed.ContentDigest);
        request.Headers.TryAddWithoutValidation(SignatureHeaders.SignatureInputName, signed.SignatureInput);
        request.Headers.TryAddWithoutValidation(SignatureHeaders.SignatureName, signed.Signature);
        return signed;
    }

    private async Task<BeatExchange> ReadAsync(
        HttpResponseMessage response, SignatureHeaders request, string clusterId, CancellationToken cancellationToken)
    {
        var status = (int)response.StatusCode;
        if (!BeatStatusCodes.CarriesReply(status))
        {
            return status switch
            {
                401 => BeatExchange.Failed(ExchangeFailure.Unauthorized, "the peer does not take our signature; BASE_CLUSTER_SECRET or BASE_PEER_KEYS must be the same on every node"),
                408 or 429 or 502 or 503 or 504 => BeatExchange.Failed(ExchangeFailure.Unavailable, $"the peer answered {status}"),
                _ => BeatExchange.Failed(ExchangeFailure.UnexpectedStatus, $"the peer answered {status}"),
            };
        }

        if (response.Content.Headers.ContentLength > BeatJson.MaxBodyBytes)
        {
            return TooLarge();
        }

        const int room = BeatJson.MaxBodyBytes + 1;
        var buffer = ArrayPool<byte>.Shared.Rent(room);
        try
        {
            var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            var length = await stream.ReadAtLeastAsync(buffer.AsMemory(0, room), room, throwOnEndOfStream: false, cancellationToken);
            return length == room ? TooLarge() : Judge(response, buffer.AsSpan(0, length), request, clusterId);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private BeatExchange Judge(HttpResponseMessage response, ReadOnlySpan<byte> body, SignatureHeaders request, string clusterId)
    {
        // Read anew: an answer may be signed by a key that came while it was under way.
        var keys = source.Current;
        var status = (int)response.StatusCode;
        var verdict = Verify(keys, response, body, request, out var signer);
        if (HeartbeatRefusal.IsOfFixedLeader(status, body, clusterId))
        {
            return BeatExchange.MetFixedLeader(verified: verdict == SignatureVerdict.Valid);
        }

        if (verdict != SignatureVerdict.Valid)
        {
            return BeatExchange.Failed(ExchangeFailure.Unverified, $"the answer {status} is not signed for this request: {verdict.Word()}");
        }

        if (!BeatJson.TryParse(body, out BeatReply? reply, out var reason))
        {
            return BeatExchange.Failed(ExchangeFailure.Malformed, $"the answer {status} is {reason}");
        }

        if (!signer.MaySpeakFor(reply.From.Id))
        {
            return BeatExchange.Failed(ExchangeFailure.WrongNode, $"the answer {status} is signed by another node than it speaks for");
        }

        return BeatStatusCodes.ToHttp(reply.Status) == status
            ? BeatExchange.Answered(reply)
            : BeatExchange.Failed(ExchangeFailure.Malformed, $"the answer {status} carries another status");
    }

    /// <returns>Valid too where no signature is asked for; then without a signer.</returns>
    private static SignatureVerdict Verify(
        KeyRing keys, HttpResponseMessage response, ReadOnlySpan<byte> body, SignatureHeaders request, out RingKey signer)
    {
        signer = default;
        if (keys.Unsigned)
        {
            return SignatureVerdict.Valid;
        }

        return SignatureHeaders.TryRead(
            Values(response, SignatureHeaders.ContentDigestName),
            Values(response, SignatureHeaders.SignatureInputName),
            Values(response, SignatureHeaders.SignatureName),
            out var headers)
            ? HeartbeatSignature.VerifyReply(keys, headers, (int)response.StatusCode, body, request, out signer)
            : SignatureVerdict.Malformed;
    }

    private static StringValues Values(HttpResponseMessage response, string name) =>
        response.Headers.NonValidated.TryGetValues(name, out var values) ? new StringValues([.. values]) : default;

    private static BeatExchange TooLarge() => BeatExchange.Failed(ExchangeFailure.TooLarge, "the answer has more than 16 KiB");

    private static BeatExchange Failed(HttpRequestException e) => e.HttpRequestError switch
    {
        HttpRequestError.NameResolutionError => BeatExchange.Failed(ExchangeFailure.Unreachable, "the peer's name does not resolve"),
        HttpRequestError.ConnectionError => BeatExchange.Failed(
            ExchangeFailure.Unreachable, e.InnerException is SocketException cause ? $"the peer takes no connection ({cause.Message})" : "the peer takes no connection"),
        HttpRequestError.SecureConnectionError => BeatExchange.Failed(ExchangeFailure.Tls, TlsFailure.Explain(e) ?? "the TLS handshake failed"),
        HttpRequestError.ResponseEnded => BeatExchange.Failed(
            ExchangeFailure.Broken, $"the peer closed the connection instead of answering; over https that may mean that it does not take this node's certificate ({HaKeys.ClientCertFile})"),
        _ => BeatExchange.Failed(ExchangeFailure.Broken, $"the connection broke ({e.HttpRequestError})"),
    };
}
