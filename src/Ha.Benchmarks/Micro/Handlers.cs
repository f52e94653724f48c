using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace Ha.Benchmarks.Micro;

/// <summary>The application that every comparison runs: a few bytes, nothing else.</summary>
internal static class Handlers
{
    private static readonly byte[] _answer = "ok"u8.ToArray();

    public static Task AnswerAsync(HttpContext context)
    {
        var response = context.Response;
        response.ContentLength = _answer.Length;
        response.ContentType = "text/plain";
        response.BodyWriter.Write(_answer);
        return Task.CompletedTask;
    }
}
