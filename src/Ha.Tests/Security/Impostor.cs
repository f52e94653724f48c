using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Security;

/// <summary>Stands at the address of a member and answers in its place.</summary>
internal sealed class Impostor : IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _requests;

    private Impostor(WebApplication app) => _app = app;

    /// <summary>Requests so far.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <param name="socket">Bound to the member's address.</param>
    /// <param name="answer">Gets each request and how many came up to it.</param>
    public static async Task<Impostor> StartAsync(Socket socket, Func<HttpContext, int, Task> answer)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseSockets(sockets => sockets.CreateBoundListenSocket = _ => socket);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var impostor = new Impostor(app);
        app.Run(context => answer(context, Interlocked.Increment(ref impostor._requests)));
        await app.StartAsync();
        return impostor;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
