using System.Net;
using Grpc.Core;
using Grpc.Health.V1;
using Ha.Tests.GrpcCalls;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ServingStatus = Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace Ha.Tests.GrpcClient;

/// <summary>A server of <see cref="Calls"/> whose health behaves as simple services and proxies have it.</summary>
internal sealed class OddServer : Health.HealthBase, IAsyncDisposable
{
    private readonly WebApplication _app;
    private TaskCompletionSource _cut = NewCut();
    private int _notFound;
    private int _calls;
    private int _watches;

    private OddServer()
    {
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.ConfigureKestrel(
            static kestrel => kestrel.Listen(IPAddress.Loopback, 0, static listen => listen.Protocols = HttpProtocols.Http2));
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(this);
        builder.Services.AddSingleton<CallsMethod>((_, _, _) =>
        {
            Interlocked.Increment(ref _calls);
            return Task.FromResult("odd");
        });
        _app = builder.Build();
        _app.Use(async (context, next) =>
        {
            if (IsAway)
            {
                Interlocked.Increment(ref _notFound);
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return;
            }

            await next(context);
        });
        _app.MapGrpcService<OddServer>();
        _app.MapGrpcService<CallsService>();
    }

    public ServingStatus Status { get; set; } = ServingStatus.Serving;

    /// <summary>Each watch ends after its first word.</summary>
    public bool EndsAfterOneWord { get; set; }

    /// <summary>A watch says nothing.</summary>
    public bool IsSilent { get; set; }

    /// <summary>A watch ends with an error.</summary>
    public bool IsBroken { get; set; }

    /// <summary>Everything is answered with 404, as by a proxy that does not know the way.</summary>
    public bool IsAway { get; set; }

    public int NotFound => Volatile.Read(ref _notFound);

    public int Calls => Volatile.Read(ref _calls);

    /// <summary>So far.</summary>
    public int Watches => Volatile.Read(ref _watches);

    public string Address => new Uri(_app.Urls.Single()).Authority;

    public static async Task<OddServer> StartAsync()
    {
        var server = new OddServer();
        await server._app.StartAsync();
        return server;
    }

    /// <summary>Ends the watches that are open.</summary>
    public void Cut() => Interlocked.Exchange(ref _cut, NewCut()).SetResult();

    public override async Task Watch(
        HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        var cut = _cut.Task;
        Interlocked.Increment(ref _watches);
        if (IsBroken)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, "broken"));
        }

        if (!IsSilent)
        {
            await responseStream.WriteAsync(new HealthCheckResponse { Status = Status });
        }

        if (!EndsAfterOneWord)
        {
            await Task.WhenAny(cut, Task.Delay(Timeout.Infinite, context.CancellationToken));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }

    private static TaskCompletionSource NewCut() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
