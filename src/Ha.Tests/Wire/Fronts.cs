using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
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
        [OwnBody] = new(static _ => { }, static app => app.Use(BodySwap.RunAsync)),
        [ResponseCaching] = new(
            static services => services.AddResponseCaching(options => options.MaximumBodySize = 4 * 1024 * 1024),
            static app => app.UseResponseCaching()),
        [OutputCache] = new(
            static services => services.AddOutputCache(options =>
            {
                options.MaximumBodySize = 4 * 1024 * 1024;
                // Behind the cache's lock a request fails with the one that it waits for, which may have failed at its client already.
                options.AddBasePolicy(policy => policy.Expire(TimeSpan.FromMinutes(1)).SetVaryByQuery("*").SetLocking(false));
            }),
            static app => app.UseOutputCache()),
        ["response compression"] = new(
            static services => services.AddResponseCompression(),
            static app => app.UseResponseCompression()),
    };
}
