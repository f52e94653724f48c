using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Hosting;

/// <summary>An application in memory, with variables of its own.</summary>
internal static class TestApp
{
    public static WebApplication Create(
        IEnumerable<(string Key, string? Value)> variables, Action<WebApplicationBuilder>? build = null, bool addHa = true)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Configuration.AddInMemoryCollection(variables.Select(v => KeyValuePair.Create(v.Key, v.Value)));
        builder.WebHost.UseTestServer();
        builder.Services.AddRoutingCore();
        builder.Logging.ClearProviders();
        if (addHa)
        {
            builder.Services.AddHa();
        }

        build?.Invoke(builder);
        return builder.Build();
    }

    public static (string Key, string? Value)[] Inactive => [];

    public static (string Key, string? Value)[] FixedLeader => [("BASE_STATIC_LEADER", "http://a:1"), ("BASE_LOCAL_TARGET", "http://a:1"), ("BASE_NODE_ID", "n1")];

    public static (string Key, string? Value)[] FixedFollower => [("BASE_STATIC_LEADER", "http://b:1"), ("BASE_LOCAL_TARGET", "http://a:1"), ("BASE_NODE_ID", "n1")];
}
