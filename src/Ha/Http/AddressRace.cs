using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Ha.Http;

/// <summary>
/// Connects to whichever address of a name answers first (RFC 8305, "Happy Eyeballs"), so that one that swallows packets
/// costs a part of the time there is and not all of it. Compiled into the server and the client package. Thread-safe.
/// </summary>
/// <param name="resolve">All addresses of a name, the preferred one first. Default: the system's resolver.</param>
/// <param name="connect">One attempt. Default: TCP without Nagle's algorithm.</param>
/// <param name="clock">Times the attempts and all of them together. Default: the system's.</param>
internal sealed class AddressRace(
    Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null,
    Func<IPEndPoint, CancellationToken, Task<Socket>>? connect = null,
    TimeProvider? clock = null)
{
    // RFC 8305 section 8. Leases can be far shorter than that, so it is the upper limit here.
    private static readonly TimeSpan _mostDelay = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan _leastDelay = TimeSpan.FromMilliseconds(1);

    private readonly Func<string, CancellationToken, Task<IPAddress[]>> _resolve = resolve ?? Dns.GetHostAddressesAsync;
    private readonly Func<IPEndPoint, CancellationToken, Task<Socket>> _connect = connect ?? OpenAsync;
    private readonly TimeProvider _clock = clock ?? TimeProvider.System;

    /// <summary>Makes the handler connect in this way, within its own <see cref="SocketsHttpHandler.ConnectTimeout"/>.</summary>
    public SocketsHttpHandler UseIn(SocketsHttpHandler handler) => Use(ConnectAsync, handler);

    /// <summary>Makes the handler connect by something that is told how long it may take.</summary>
    public static SocketsHttpHandler Use(Func<DnsEndPoint, TimeSpan, CancellationToken, Task<Socket>> connect, SocketsHttpHandler handler)
    {
        handler.ConnectCallback = async (connection, cancellation) =>
        {
            // A little less: when the handler's own time is up it says no more than that, and a heartbeat's exchange ends with it.
            var all = handler.ConnectTimeout;
            var timeout = all == Timeout.InfiniteTimeSpan ? all : all - all / 16;
            return new NetworkStream(await connect(connection.DnsEndPoint, timeout, cancellation).ConfigureAwait(false), ownsSocket: true);
        };
        return handler;
    }

    /// <param name="target">A name or an address, and a port.</param>
    /// <param name="timeout">For everything, resolving the name included.</param>
    /// <param name="cancellation">Ends all attempts.</param>
    /// <exception cref="SocketException">No address answered; the message says what became of each.</exception>
    public async Task<Socket> ConnectAsync(DnsEndPoint target, TimeSpan timeout, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(timeout, _clock);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation, limit.Token);
        Attempt[] attempts;
        try
        {
            attempts = [.. Interleave(await ResolveAsync(target.Host, over.Token).ConfigureAwait(false)).Select(address => new Attempt(new IPEndPoint(address, target.Port)))];
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new SocketException((int)SocketError.HostNotFound, $"{target.Host}: no address in {Milliseconds(timeout)} ms");
        }

        if (attempts.Length == 0)
        {
            throw new SocketException((int)SocketError.HostNotFound, $"{target.Host}: no address");
        }

        // With this all have begun before a quarter of the time is over, however many there are.
        var delay = timeout == Timeout.InfiniteTimeSpan ? _mostDelay : timeout / (4 * attempts.Length);
        delay = delay > _mostDelay ? _mostDelay : delay < _leastDelay ? _leastDelay : delay;
        if (await RaceAsync(attempts, delay, over).ConfigureAwait(false) is { } winner)
        {
            return winner;
        }

        cancellation.ThrowIfCancellationRequested();
        throw new SocketException((int)attempts[0].Error, string.Join("; ", attempts.Select(static attempt => attempt.ToString())));
    }

    /// <summary>A task that may fail when nobody looks any more, which is no fault to tell of.</summary>
    public static Task<IPAddress[]> Observed(Task<IPAddress[]> lookup)
    {
        _ = lookup.ContinueWith(
            static failed => failed.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return lookup;
    }

    private async Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellation)
    {
        if (IPAddress.TryParse(host, out var address))
        {
            return [address];
        }

        // Cannot be interrupted everywhere.
        return await Observed(_resolve(host, cancellation)).WaitAsync(cancellation).ConfigureAwait(false);
    }

    // RFC 8305 section 4: the families take turns, beginning with that of the preferred address. The sort is stable.
    private static IEnumerable<IPAddress> Interleave(IPAddress[] addresses) => addresses
        .Distinct()
        .GroupBy(static address => address.AddressFamily)
        .SelectMany(static family => family.Index())
        .OrderBy(static address => address.Index)
        .Select(static address => address.Item);

    /// <summary>Every attempt has ended when this returns, and of the sockets only the winner's is left.</summary>
    private async Task<Socket?> RaceAsync(Attempt[] attempts, TimeSpan delay, CancellationTokenSource over)
    {
        var waiting = new Queue<Attempt>(attempts);
        var running = new List<Task<Socket?>>(attempts.Length);
        Socket? winner = null;
        while (winner is null)
        {
            // The next one begins when the delay is over or another has failed.
            if (!over.IsCancellationRequested && waiting.TryDequeue(out var next))
            {
                running.Add(RunAsync(next, over.Token));
            }

            if (running.Count == 0)
            {
                return null;
            }

            var first = Task.WhenAny(running);
            await ((Task)first)
                .WaitAsync(waiting.Count > 0 ? delay : Timeout.InfiniteTimeSpan, _clock, CancellationToken.None)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (first.IsCompleted)
            {
                var ended = await first.ConfigureAwait(false);
                running.Remove(ended);
                winner = await ended.ConfigureAwait(false);
            }
        }

        await over.CancelAsync().ConfigureAwait(false);
        foreach (var loser in running)
        {
            (await loser.ConfigureAwait(false))?.Dispose();
        }

        return winner;
    }

    private async Task<Socket?> RunAsync(Attempt attempt, CancellationToken cancellation)
    {
        var started = _clock.GetTimestamp();
        try
        {
            return await _connect(attempt.Address, cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            attempt.Fail(SocketError.TimedOut, $"no answer in {Milliseconds(_clock.GetElapsedTime(started))} ms");
        }
        catch (SocketException failure)
        {
            attempt.Fail(failure.SocketErrorCode, failure.Message);
        }

        return null;
    }

    private static async Task<Socket> OpenAsync(IPEndPoint address, CancellationToken cancellation)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address, cancellation).ConfigureAwait(false);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static string Milliseconds(TimeSpan time) => time.TotalMilliseconds.ToString("F0", CultureInfo.InvariantCulture);

    private sealed class Attempt(IPEndPoint address)
    {
        private string _outcome = "not tried";

        public IPEndPoint Address => address;

        public SocketError Error { get; private set; } = SocketError.TimedOut;

        public void Fail(SocketError error, string outcome) => (Error, _outcome) = (error, outcome);

        public override string ToString() => $"{address}: {_outcome}";
    }
}
