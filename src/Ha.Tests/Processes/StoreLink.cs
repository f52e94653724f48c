using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Ha.Tests.Processes;

/// <summary>
/// One node's way to a store on loopback. While it is cut, connections are there and nothing arrives, in either direction and
/// without a word, as behind a switch that died; those of that time are reset when it is mended.
/// </summary>
internal sealed class StoreLink : IAsyncDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Connection, Task> _open = new();
    private readonly int _target;
    private readonly Task _accepting;
    private readonly Lock _lock = new();
    private bool _cut;

    /// <param name="target">The store's port.</param>
    public StoreLink(int target)
    {
        _target = target;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(64);
        Port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
        _accepting = AcceptAsync();
    }

    /// <summary>Where the node finds the store.</summary>
    public int Port { get; }

    /// <summary>How many connections there are.</summary>
    public int Open => _open.Count;

    public void Cut()
    {
        lock (_lock)
        {
            _cut = true;
            foreach (var connection in _open.Keys)
            {
                connection.IsDead = true;
            }
        }
    }

    public void Mend()
    {
        lock (_lock)
        {
            _cut = false;
            foreach (var connection in _open.Keys.Where(c => c.IsDead))
            {
                connection.Dispose();
            }
        }
    }

    /// <summary>Whether the store sees a connection of this link's node at that address.</summary>
    public bool IsFrom(IPEndPoint address) => _open.Keys.Any(c => address.Equals(c.SeenByStore));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_open.Values);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            var connection = new Connection(await _listener.AcceptAsync(_stop.Token));

            // Started only when it is in the list, so that it finds itself there when it leaves.
            var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (_lock)
            {
                connection.IsDead = _cut;
                _open[connection] = ServeAsync(connection, begun.Task);
            }

            begun.SetResult();
        }
    }

    private async Task ServeAsync(Connection connection, Task begun)
    {
        await begun;
        using (connection)
        {
            await connection.RunAsync(_target, _stop.Token);
        }

        _open.TryRemove(connection, out _);
    }

    private sealed class Connection(Socket node) : IDisposable
    {
        private readonly Socket _store = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        private volatile bool _dead;

        /// <summary>Nothing passes any more.</summary>
        public bool IsDead
        {
            get => _dead;
            set => _dead = value;
        }

        public IPEndPoint? SeenByStore { get; private set; }

        public async Task RunAsync(int target, CancellationToken stop)
        {
            try
            {
                node.NoDelay = true;
                if (!IsDead)
                {
                    await _store.ConnectAsync(IPAddress.Loopback, target, stop);
                    SeenByStore = (IPEndPoint)_store.LocalEndPoint!;
                }

                await Task.WhenAny(PumpAsync(node, _store, stop), IsDead ? Task.Delay(Timeout.Infinite, stop) : PumpAsync(_store, node, stop)).Unwrap();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
            {
                // One side has ended it, or nobody listens: so it is for the other.
            }
        }

        /// <summary>With a reset.</summary>
        public void Dispose()
        {
            foreach (var socket in (Socket[])[node, _store])
            {
                if (!socket.SafeHandle.IsClosed)
                {
                    socket.LingerState = new LingerOption(enable: true, seconds: 0);
                    socket.Dispose();
                }
            }
        }

        private async Task PumpAsync(Socket from, Socket to, CancellationToken stop)
        {
            var buffer = new byte[16 * 1024];
            for (int read; (read = await from.ReceiveAsync(buffer, stop)) > 0 || IsDead;)
            {
                if (IsDead)
                {
                    // The other side's end does not arrive either.
                    if (read == 0)
                    {
                        await Task.Delay(Timeout.Infinite, stop);
                    }

                    continue;
                }

                for (var rest = buffer.AsMemory(0, read); !rest.IsEmpty;)
                {
                    rest = rest[await to.SendAsync(rest, SocketFlags.None, stop)..];
                }
            }
        }
    }
}
