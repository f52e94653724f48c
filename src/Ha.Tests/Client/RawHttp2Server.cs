using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Ha.Tests.Client;

/// <summary>How the server ends a request.</summary>
internal enum Ending
{
    /// <summary>200, once all of the body is there.</summary>
    Answer,

    /// <summary>RST_STREAM with REFUSED_STREAM.</summary>
    RefuseStream,

    /// <summary>GOAWAY with the last stream below this one.</summary>
    GoAway,

    /// <summary>Nothing more is said on the connection, as if the host had vanished.</summary>
    Silence,
}

/// <summary>A server of HTTP/2 frames (RFC 9113) without TLS that refuses requests at any byte of their bodies.</summary>
internal sealed class RawHttp2Server : IAsyncDisposable
{
    private const byte Data = 0, Headers = 1, ResetStream = 3, Settings = 4, Ping = 6, Away = 7, WindowUpdate = 8;
    private const byte EndStream = 1, Acknowledge = 1, EndHeaders = 4;
    private const byte MethodGet = 0x82, Status200 = 0x88, Status404 = 0x8d;
    private static readonly byte[] _status100 = [0x08, 3, (byte)'1', (byte)'0', (byte)'0'];

    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Func<int, (Ending How, int AfterBytes)> _script;
    private readonly List<(Socket Socket, Task Task)> _serving = [];
    private readonly List<byte[]> _answered = [];
    private readonly Task _accepting;
    private int _requests;

    /// <param name="script">Gets the request's number, from 1; GETs do not count and find nothing.</param>
    public RawHttp2Server(Func<int, (Ending How, int AfterBytes)> script)
    {
        _script = script;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        Url = $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndPoint!).Port}";
        _accepting = AcceptAsync();
    }

    public string Url { get; }

    public int Requests => Volatile.Read(ref _requests);

    /// <summary>The bodies of the requests that were answered, which is what the application would have executed.</summary>
    public byte[][] Answered
    {
        get
        {
            lock (_answered)
            {
                return [.. _answered];
            }
        }
    }

    /// <summary>Connections that are open go on.</summary>
    public void StopListening() => _listener.Dispose();

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _accepting;
        foreach (var (socket, task) in _serving)
        {
            socket.Dispose();
            await task;
        }
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            try
            {
                var socket = await _listener.AcceptAsync();
                _serving.Add((socket, ServeAsync(socket)));
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using var stream = new NetworkStream(socket, ownsSocket: true);
        var open = new Dictionary<int, Request>();
        try
        {
            await stream.ReadExactlyAsync(new byte[24]);
            await SendAsync(stream, Settings, 0, 0, []);
            var head = new byte[9];
            while (true)
            {
                await stream.ReadExactlyAsync(head);
                var payload = new byte[(head[0] << 16) | (head[1] << 8) | head[2]];
                await stream.ReadExactlyAsync(payload);
                if (open.Values.Any(request => request.Step.How == Ending.Silence))
                {
                    continue;
                }

                await HandleAsync(stream, open, head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)), payload);
            }
        }
        catch (Exception error) when (error is IOException or SocketException or ObjectDisposedException)
        {
            // The client is gone.
        }
    }

    private async Task HandleAsync(NetworkStream stream, Dictionary<int, Request> open, byte type, byte flags, int id, byte[] payload)
    {
        switch (type)
        {
            case Settings when (flags & Acknowledge) == 0:
                await SendAsync(stream, Settings, Acknowledge, 0, []);
                break;
            case Ping when (flags & Acknowledge) == 0:
                await SendAsync(stream, Ping, Acknowledge, 0, payload);
                break;
            case Headers when payload[0] == MethodGet:
                await SendAsync(stream, Headers, EndHeaders | EndStream, id, [Status404]);
                break;
            case Headers:
                open[id] = new Request(_script(Interlocked.Increment(ref _requests)), new MemoryStream());
                if (!await EndedAsync(stream, open, id, flags) && Encoding.Latin1.GetString(payload).Contains("100-continue", StringComparison.Ordinal))
                {
                    await SendAsync(stream, Headers, EndHeaders, id, _status100);
                }

                break;
            case Data when open.TryGetValue(id, out var request):
                request.Body.Write(payload);
                await GrantAsync(stream, 0, payload.Length);
                if (!await EndedAsync(stream, open, id, flags))
                {
                    await GrantAsync(stream, id, payload.Length);
                }

                break;
            case Data:
                await GrantAsync(stream, 0, payload.Length);
                break;
            case ResetStream:
                open.Remove(id);
                break;
        }
    }

    private async Task<bool> EndedAsync(NetworkStream stream, Dictionary<int, Request> open, int id, byte flags)
    {
        var (step, body) = open[id];
        var complete = (flags & EndStream) != 0;
        if (step.How == Ending.Silence || (step.How == Ending.Answer ? !complete : !complete && body.Length < step.AfterBytes))
        {
            return false;
        }

        open.Remove(id);
        switch (step.How)
        {
            case Ending.Answer:
                lock (_answered)
                {
                    _answered.Add(body.ToArray());
                }

                await SendAsync(stream, Headers, EndHeaders | EndStream, id, [Status200]);
                break;
            case Ending.RefuseStream:
                await SendAsync(stream, ResetStream, 0, id, [0, 0, 0, 7]);
                break;
            default:
                var last = new byte[8];
                BinaryPrimitives.WriteInt32BigEndian(last, id - 2);
                await SendAsync(stream, Away, 0, 0, id == 1 ? new byte[8] : last);
                break;
        }

        return true;
    }

    private static Task GrantAsync(NetworkStream stream, int id, int bytes)
    {
        var payload = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(payload, bytes);
        return bytes == 0 ? Task.CompletedTask : SendAsync(stream, WindowUpdate, 0, id, payload);
    }

    private static async Task SendAsync(NetworkStream stream, byte type, byte flags, int id, byte[] payload)
    {
        var frame = new byte[9 + payload.Length];
        (frame[1], frame[2]) = ((byte)(payload.Length >> 8), (byte)payload.Length);
        (frame[3], frame[4]) = (type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), id);
        payload.CopyTo(frame, 9);
        await stream.WriteAsync(frame);
    }

    private sealed record Request((Ending How, int AfterBytes) Step, MemoryStream Body);
}
