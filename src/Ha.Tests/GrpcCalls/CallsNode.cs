using System.Net;
using Grpc.Core;
using Grpc.Net.Client;
using Ha.Tests.Forwarding;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.GrpcCalls;

/// <summary>A node with <see cref="Calls"/> and a leadership that the test makes up, or none at all, behind a real listener for HTTP/2.</summary>
internal sealed class CallsNode : IAsyncDisposable
{
    private readonly WebApplication _app;

    private CallsNode(WebApplication app, FakeLeadership? leadership)
    {
        (_app, Leadership) = (app, leadership);
        Channel = GrpcChannel.ForAddress(Url, new GrpcChannelOptions { HttpHandler = new SocketsHttpHandler { UseProxy = false } });
        Client = new Calls.CallsClient(Channel);
    }

    /// <summary>Null: the plugin is off.</summary>
    public FakeLeadership? Leadership { get; }

    public string Url => _app.Urls.Single();

    public GrpcChannel Channel { get; }

    public Calls.CallsClient Client { get; }

    /// <param name="method">What each of the four methods does with the texts it got; its own result is the last answer.</param>
    /// <param name="leadership">Who leads; null: the plugin is off.</param>
    /// <param name="build">Services and settings of its own.</param>
    /// <param name="useHa">True: the write forwarding stands where the application put it.</param>
    public static async Task<CallsNode> StartAsync(
        CallsMethod method, FakeLeadership? leadership, Action<WebApplicationBuilder>? build = null, bool useHa = false)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = Environments.Production });
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Configuration.AddInMemoryCollection([KeyValuePair.Create("BASE_NODE_ID", leadership?.NodeId)]);
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(method);
        if (leadership is not null)
        {
            builder.Services.AddSingleton<ILeaderProvider>(leadership);
        }

        builder.Services.AddHaGrpc();
        build?.Invoke(builder);
        var app = builder.Build();
        if (useHa)
        {
            app.UseHa();
        }

        app.MapGrpcService<CallsService>();
        await app.StartAsync();
        return new CallsNode(app, leadership);
    }

    /// <summary>One call of the given kind with two texts where it is a stream.</summary>
    public async Task<CallOutcome> CallAsync(MethodType kind)
    {
        switch (kind)
        {
            case MethodType.Unary:
                using (var call = Client.UnaryAsync(new Said { Text = "a" }))
                {
                    return await CallOutcome.OfAsync(
                        async told => told.Add((await call).Text), call.GetStatus, call.GetTrailers, call.ResponseHeadersAsync);
                }

            case MethodType.ClientStreaming:
                using (var call = Client.ClientStream())
                {
                    return await CallOutcome.OfAsync(
                        async told =>
                        {
                            await SendAsync(call.RequestStream);
                            told.Add((await call).Text);
                        },
                        call.GetStatus,
                        call.GetTrailers,
                        call.ResponseHeadersAsync);
                }

            case MethodType.ServerStreaming:
                using (var call = Client.ServerStream(new Said { Text = "a" }))
                {
                    return await CallOutcome.OfAsync(
                        told => ReadAsync(call.ResponseStream, told), call.GetStatus, call.GetTrailers, call.ResponseHeadersAsync);
                }

            default:
                using (var call = Client.Duplex())
                {
                    return await CallOutcome.OfAsync(
                        async told =>
                        {
                            await SendAsync(call.RequestStream);
                            await ReadAsync(call.ResponseStream, told);
                        },
                        call.GetStatus,
                        call.GetTrailers,
                        call.ResponseHeadersAsync);
                }
        }
    }

    public async ValueTask DisposeAsync()
    {
        Channel.Dispose();
        await _app.DisposeAsync();
        Leadership?.Dispose();
    }

    private static async Task SendAsync(IClientStreamWriter<Said> stream)
    {
        await stream.WriteAsync(new Said { Text = "a" });
        await stream.WriteAsync(new Said { Text = "b" });
        await stream.CompleteAsync();
    }

    private static async Task ReadAsync(IAsyncStreamReader<Said> stream, List<string> told)
    {
        await foreach (var said in stream.ReadAllAsync())
        {
            told.Add(said.Text);
        }
    }
}
