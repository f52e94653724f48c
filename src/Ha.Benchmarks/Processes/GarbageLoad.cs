using Microsoft.AspNetCore.Http;

namespace Ha.Benchmarks.Processes;

/// <summary>A handler that keeps a core and the collector busy: 1 MB of short-lived objects, some of which live a while.</summary>
internal static class GarbageLoad
{
    private const int Blocks = 250;
    private const int BlockBytes = 4096;

    private static readonly byte[][] _survivors = new byte[20_000][];
    private static int _next;

    public static Task MakeAsync(HttpContext context)
    {
        var sum = 0;
        for (var i = 0; i < Blocks; i++)
        {
            var block = new byte[BlockBytes];
            block.AsSpan().Fill((byte)i);
            sum += block[i];
            if (i % 10 == 0)
            {
                _survivors[(uint)Interlocked.Increment(ref _next) % _survivors.Length] = block;
            }
        }

        return context.Response.WriteAsync($"{sum}");
    }
}
