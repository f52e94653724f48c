using Ha.Tests.Endpoints.GrpcHealth;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.GrpcInterop;

/// <summary>The program behind the verb <c>interop-node</c>: a node that serves <see cref="InteropService"/>.</summary>
internal static class InteropNode
{
    public const string Verb = "interop-node";

    private const int MaxMessageBytes = 16 * 1024 * 1024;

    // More than a case has open at once on a connection.
    private const int MaxStreams = 200;

    public static int Run(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Ha", LogLevel.Information);
        Add(builder);
        builder.Services.AddHaGrpc();
        var app = builder.Build();
        app.MapHaGrpcHealth();
        Map(app);
        app.Run();
        return 0;
    }

    public static void Add(WebApplicationBuilder builder)
    {
        // The members' own addresses are not in it.
        builder.Configuration.AddInMemoryCollection([KeyValuePair.Create("AllowedHosts", (string?)EchoCluster.Name)]);
        builder.WebHost.ConfigureKestrel(static kestrel => kestrel.Limits.Http2.MaxStreamsPerConnection = MaxStreams);
        builder.Services.AddGrpc(static options =>
        {
            options.MaxReceiveMessageSize = MaxMessageBytes;
            options.CompressionProviders = [new CompressedMessages.Gzip()];
            options.ResponseCompressionAlgorithm = "gzip";
        });
    }

    public static void Map(WebApplication app)
    {
        app.Use(static (context, next) => CompressedMessages.CountAsync(context, next));
        app.MapGrpcService<InteropService>();
    }
}
