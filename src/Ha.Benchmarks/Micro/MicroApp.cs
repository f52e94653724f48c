using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Benchmarks.Micro;

/// <summary>What stands in the pipeline before the application's handler.</summary>
public enum Plugin
{
    /// <summary>No <c>AddHa()</c>.</summary>
    None,

    /// <summary><c>AddHa()</c> and no configuration: the no-op.</summary>
    Inactive,

    /// <summary>A leader, <c>BASE_PUBLIC_INFO=false</c>.</summary>
    Quiet,

    /// <summary>A leader with its response headers.</summary>
    Full,

    /// <summary>The same with <c>HaOptions.Consistency</c>, without the round trip of a database.</summary>
    Consistent,
}

/// <summary>A Kestrel in this process behind <see cref="InMemoryTransport"/>, and one connection to it.</summary>
internal sealed class MicroApp : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly IDuplexPipe _client;

    private MicroApp(WebApplication app, IDuplexPipe client)
    {
        _app = app;
        _client = client;
    }

    public IServiceProvider Services => _app.Services;

    public static async Task<MicroApp> StartAsync(Plugin plugin)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Configuration.AddInMemoryCollection(Settings(plugin));
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options => { options.AddServerHeader = false; options.ListenLocalhost(5000); });
        var transport = new InMemoryTransport();
        builder.Services.AddSingleton<IConnectionListenerFactory>(transport);
        builder.Logging.ClearProviders();
        if (plugin != Plugin.None)
        {
            builder.Services.AddHa(options =>
            {
                if (plugin == Plugin.Consistent)
                {
                    options.Consistency = _ => new ReadConsistency(_ => ValueTask.FromResult(1L), _ => ValueTask.FromResult(1L));
                }
            });
        }

        var app = builder.Build();
        app.Run(Handlers.AnswerAsync);
        await app.StartAsync();
        if (plugin != Plugin.None)
        {
            await app.Services.GetRequiredService<ILeaderProvider>().WaitForLeaderAsync();
        }

        return new MicroApp(app, transport.Connect(app.Services.GetRequiredService<IMemoryPoolFactory<byte>>().Create()));
    }

    /// <summary>Sends what <paramref name="requests"/> holds and reads answers of so many bytes in all.</summary>
    public async ValueTask ExchangeAsync(ReadOnlyMemory<byte> requests, int answerBytes)
    {
        await _client.Output.WriteAsync(requests);
        for (var left = answerBytes; left > 0;)
        {
            var result = await _client.Input.ReadAsync();
            left -= (int)result.Buffer.Length;
            _client.Input.AdvanceTo(result.Buffer.End);
        }
    }

    /// <summary>How many bytes one request's answer has.</summary>
    public async Task<int> AnswerLengthAsync(ReadOnlyMemory<byte> request)
    {
        await _client.Output.WriteAsync(request);
        var result = await _client.Input.ReadAsync();
        var text = Encoding.ASCII.GetString(result.Buffer.FirstSpan);
        _client.Input.AdvanceTo(result.Buffer.End);
        return text.StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal)
            ? (int)result.Buffer.Length
            : throw new InvalidOperationException(text);
    }

    public async ValueTask DisposeAsync()
    {
        await _client.Output.CompleteAsync();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static Dictionary<string, string?> Settings(Plugin plugin) => plugin is Plugin.None or Plugin.Inactive
        ? []
        : new()
        {
            ["BASE_NODE_ID"] = "node-1",
            ["BASE_LOCAL_TARGET"] = "http://node-1:8080",
            ["BASE_CLUSTER_SECRET"] = "a-secret-for-the-benchmark",
            ["BASE_PUBLIC_INFO"] = plugin is Plugin.Full or Plugin.Consistent ? "true" : "false",
        };
}
