using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Ha.Chaos.Network;

/// <summary>Makes sockets inside a network namespace: a socket stays where it was made, whichever thread uses it.</summary>
internal sealed class NamespaceSockets : IDisposable
{
    private static readonly TimeSpan _connectPatience = TimeSpan.FromSeconds(2);
    private readonly BlockingCollection<TaskCompletionSource<Socket>> _wanted = [];

    public NamespaceSockets(string name)
    {
        var entered = new TaskCompletionSource();
        var thread = new Thread(() => Make(name, entered)) { IsBackground = true, Name = $"sockets in {name}" };
        thread.Start();
        entered.Task.GetAwaiter().GetResult();
    }

    /// <summary>For HttpClients whose connections begin in the namespace. They follow nothing by themselves.</summary>
    public SocketsHttpHandler NewHandler() => new()
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        ConnectCallback = async (context, cancellation) => await ConnectAsync(context.DnsEndPoint, cancellation),
    };

    public void Dispose() => _wanted.CompleteAdding();

    private async Task<Stream> ConnectAsync(DnsEndPoint where, CancellationToken cancellationToken)
    {
        var wanted = new TaskCompletionSource<Socket>(TaskCreationOptions.RunContinuationsAsynchronously);
        _wanted.Add(wanted, cancellationToken);
        var socket = await wanted.Task;
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(_connectPatience);
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse(where.Host), where.Port), patience.Token);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            socket.Dispose();
            throw new SocketException((int)SocketError.TimedOut);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private void Make(string name, TaskCompletionSource entered)
    {
        try
        {
            Linux.EnterNamespace(name);
            entered.SetResult();
        }
        catch (Exception e) when (e is InvalidOperationException or IOException)
        {
            entered.SetException(e);
            return;
        }

        foreach (var wanted in _wanted.GetConsumingEnumerable())
        {
            try
            {
                wanted.SetResult(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
            }
            catch (SocketException e)
            {
                wanted.SetException(e);
            }
        }
    }
}
