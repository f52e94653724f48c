using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.EntityFrameworkCore.Idempotency;

/// <summary>What names one write, and what makes another request with that name the same one.</summary>
/// <param name="Id">Of the key and who sent it: 64 hexadecimal digits.</param>
/// <param name="Fingerprint">Of method, path, query and body: 64 hexadecimal digits.</param>
internal sealed record KeyedRequest(string Id, string Fingerprint)
{
    // What a longer body costs beyond this is a file, not memory.
    private const int KeptInMemory = 32 * 1024;

    /// <summary>Reads the whole body, which can be read again afterwards. Null: it is longer than <paramref name="maxBytes"/>.</summary>
    /// <exception cref="InvalidOperationException">Somebody has read the body, and it cannot be read again.</exception>
    public static async Task<KeyedRequest?> ReadAsync(HttpContext http, string key, string? user, int maxBytes)
    {
        var request = http.Request;
        if (request.ContentLength > maxBytes)
        {
            return null;
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{request.Method.ToUpperInvariant()} {request.PathBase}{request.Path}{request.QueryString}\n"));
        request.EnableBuffering(KeptInMemory);
        request.Body.Position = 0;
        var buffer = ArrayPool<byte>.Shared.Rent(KeptInMemory);
        try
        {
            var total = 0L;
            while (await request.Body.ReadAsync(buffer, http.RequestAborted) is > 0 and var read)
            {
                if ((total += read) > maxBytes)
                {
                    return null;
                }

                hash.AppendData(buffer.AsSpan(0, read));
            }

            // Another body would look like this one.
            if (total == 0 && (request.ContentLength > 0 || http.Features.Get<IFormFeature>()?.Form is { } form && form.Count + form.Files.Count > 0))
            {
                throw new InvalidOperationException(
                    "UseHaIdempotency() must come before what reads the body, such as UseAntiforgery(): the body of this request is gone.");
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        request.Body.Position = 0;
        return new KeyedRequest(
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{key}\n{user}"))),
            Convert.ToHexStringLower(hash.GetHashAndReset()));
    }
}
