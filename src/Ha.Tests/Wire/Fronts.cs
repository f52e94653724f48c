using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.OnTheWire;

/// <summary>Middleware that stands before <c>UseHa()</c>.</summary>
/// <param name="Services">What it needs.</param>
/// <param name="App">How it is used.</param>
internal sealed record Front(Action<IServiceCollection> Services, Action<IApplicationBuilder> App)
{
    /// <summary>Puts it outside of whatever the application has.</summary>
    public void AddTo(IServiceCollection services)
    {
        Services(services);
        services.AddSingleton<IStartupFilter>(new Outside(App));
    }

    private sealed class Outside(Action<IApplicationBuilder> front) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            front(app);
            next(app);
        };
    }
}

/// <summary>Those that have to do with bodies of answers.</summary>
internal static class Fronts
{
    public const string OwnBody = "own body";
    public const string ResponseCaching = "response caching";
    public const string OutputCache = "output cache";

    public static readonly Dictionary<string, Front> All = new(StringComparer.Ordinal)
    {
        [OwnBody] = new(static _ => { }, static app => app.Use(SwapBodyAsync)),
        [ResponseCaching] = new(
            static services => services.AddResponseCaching(options => options.MaximumBodySize = 4 * 1024 * 1024),
            static app => app.UseResponseCaching()),
        [OutputCache] = new(
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
