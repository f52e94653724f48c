using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.OnTheWire;

/// <summary>Middleware in front of the forwarding keeps, counts or rewrites answers; it gets all of them.</summary>
public sealed class BufferingFrontTests
{
    private static readonly int[] _sizes = [0, 1, 100, 2000, 4096, 65537, 100_000, 1024 * 1024];

    private static readonly Dictionary<string, Front> _fronts = new(StringComparer.Ordinal)
    {
        ["own body"] = new(static _ => { }, static app => app.Use(SwapBodyAsync)),
        ["response caching"] = new(
            static services => services.AddResponseCaching(options => options.MaximumBodySize = 4 * 1024 * 1024),
            static app => app.UseResponseCaching()),
        ["output cache"] = new(
            static services => services.AddOutputCache(options =>
            {
                options.MaximumBodySize = 4 * 1024 * 1024;
                options.AddBasePolicy(policy => policy.Expire(TimeSpan.FromMinutes(1)).SetVaryByQuery("*"));
            }),
            static app => app.UseOutputCache()),
        ["response compression"] = new(
            static services => services.AddResponseCompression(),
            static app => app.UseResponseCompression()),
    };

    public static TheoryData<string, Dialect> Ways => Every.Pair(_fronts.Keys, Enum.GetValues<Dialect>());

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task What_the_leader_sent_passes_whole(string front, Dialect dialect)
    {
        await using var pair = await WirePair.StartAsync(
            dialect, static connection => (OpenFlow.Instance, new PiecesFlow(seed: connection)), _fronts[front]);
        foreach (var size in _sizes)
        {
            foreach (var framing in Enum.GetValues<Framing>())
            {
                var target = AnswerApp.Target(size, framing, Writing.Pieces);
                foreach (var method in new[] { HttpMethod.Post, HttpMethod.Get, HttpMethod.Get })
                {
                    using var answer = await pair.Client.AskAsync(method, target, method == HttpMethod.Post ? [] : null);
                    await AnswerPiecesTests.AssertWholeAsync(answer, size, $"{method} of {size} bytes, {framing}");
                }
            }
        }
    }

    // As it stands in many an application, to log answers or to rewrite them.
    private static async Task SwapBodyAsync(HttpContext context, RequestDelegate next)
    {
        var body = context.Response.Body;
        using var kept = new MemoryStream();
        context.Response.Body = kept;
        try
        {
            await next(context);
        }
        finally
        {
            context.Response.Body = body;
        }

        kept.Position = 0;
        await kept.CopyToAsync(body, context.RequestAborted);
    }
}
