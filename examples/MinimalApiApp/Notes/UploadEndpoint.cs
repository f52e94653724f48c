using System.Buffers;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http.Features;

namespace MinimalApiApp.Notes;

/// <summary>
/// <c>POST /uploads</c> reads a body of any size as a stream, keeps its length and SHA-256 and says so:
/// something to see a large write pass through a follower with.
/// </summary>
internal static class UploadEndpoint
{
    private const long MaxBytes = 4L << 30;

    public static void MapUploads(this WebApplication app) => app.MapPost("/uploads", ReceiveAsync);

    private static async Task<IResult> ReceiveAsync(HttpContext http, IdempotentWrites writes)
    {
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = MaxBytes;
        }

        var (bytes, sha256) = await DigestAsync(http.Request.Body, http.RequestAborted);
        return await writes.RunAsync(http, sha256, async t =>
        {
            var id = await t.InsertAsync(
                "INSERT INTO uploads (bytes, sha256, node, epoch) VALUES (@bytes, @sha256, @node, @epoch) RETURNING id",
                ("bytes", bytes), ("sha256", sha256));
            return Answer.Created(new Upload(id, bytes, sha256, t.Node, t.Epoch));
        });
    }

    private static async Task<(long Bytes, string Sha256)> DigestAsync(Stream body, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
        try
        {
            var total = 0L;
            while (await body.ReadAsync(buffer, cancellationToken) is > 0 and var read)
            {
                hash.AppendData(buffer.AsSpan(0, read));
                total += read;
            }

            return (total, Convert.ToHexStringLower(hash.GetHashAndReset()));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
