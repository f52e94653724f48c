using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Pipelines;

/// <summary>The ways in which handlers write.</summary>
internal static class AnswerWriter
{
    private const int Small = 1000;

    public static async Task WriteAsync(HttpResponse response, Writing writing, ReadOnlyMemory<byte> bytes)
    {
        switch (writing)
        {
            case Writing.Stream:
                await response.Body.WriteAsync(bytes);
                break;
            case Writing.Pipe:
                await response.BodyWriter.WriteAsync(bytes);
                break;
            default:
                while (bytes.Length > 0)
                {
                    var part = bytes[..Math.Min(Small, bytes.Length)];
                    part.Span.CopyTo(response.BodyWriter.GetSpan(part.Length));
                    response.BodyWriter.Advance(part.Length);
                    bytes = bytes[part.Length..];
                }

                break;
        }
    }
}
