using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Ha.Tests.Forwarding;

/// <summary>
/// One HTTP/2 connection by hand (RFC 9113, RFC 7541), for header fields that no client library would send: every
/// field travels as a literal, byte for byte.
/// </summary>
internal sealed class RawHttp2Connection : IDisposable
{
    private const byte Data = 0, Headers = 1, ResetStream = 3, Settings = 4, GoAway = 7;
    private const byte EndStream = 1, Acknowledge = 1, EndHeaders = 4;
    private static readonly byte[] _preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();

    private readonly TcpClient _client = new();
    private int _nextStream = 1;

    /// <summary>True: the headers of the last answer were all of it.</summary>
    public bool EndedByHeaders { get; private set; }

    private NetworkStream Stream => _client.GetStream();

    public static async Task<RawHttp2Connection> ConnectAsync(int port)
    {
        var connection = new RawHttp2Connection();
        await connection._client.ConnectAsync(IPAddress.Loopback, port);
        await connection.Stream.WriteAsync(_preface);
        await connection.SendAsync(Settings, 0, 0, []);
        return connection;
    }

    /// <summary>Sends one request with the body, if any, and returns how the server ended it: by an answer or by a refusal.</summary>
    public async Task<string> AskAsync((string Name, string Value)[] fields, string? body = null)
    {
        var stream = _nextStream;
        _nextStream += 2;
        var block = new List<byte>();
        foreach (var (name, value) in fields)
        {
            block.Add(0x10); // a literal that is never indexed
            Append(block, name);
            Append(block, value);
        }

        await SendAsync(Headers, (byte)(EndHeaders | (body is null ? EndStream : 0)), stream, [.. block]);
        if (body is not null)
        {
            await SendAsync(Data, EndStream, stream, Encoding.Latin1.GetBytes(body));
        }

        return await OutcomeAsync(stream);
    }

    public void Dispose() => _client.Dispose();

    private async Task<string> OutcomeAsync(int stream)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var head = new byte[9];
        try
        {
            while (true)
            {
                await Stream.ReadExactlyAsync(head, patience.Token);
                var payload = new byte[(head[0] << 16) | (head[1] << 8) | head[2]];
                await Stream.ReadExactlyAsync(payload, patience.Token);
                var on = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5));
                switch (head[3])
                {
                    case Settings when head[4] == 0:
                        await SendAsync(Settings, Acknowledge, 0, []);
                        break;
                    case Headers when on == stream:
                        EndedByHeaders = (head[4] & EndStream) != 0;
                        return "answered";
                    case ResetStream when on == stream:
                        return "reset";
                    case GoAway:
                        return "closed";
                }
            }
        }
        catch (Exception e) when (e is IOException)
        {
            return "closed";
        }
    }

    private async Task SendAsync(byte type, byte flags, int stream, byte[] payload)
    {
        var frame = new byte[9 + payload.Length];
        (frame[0], frame[1], frame[2]) = ((byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length);
        (frame[3], frame[4]) = (type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame, 9);
        await Stream.WriteAsync(frame);
    }

    /// <summary>A string without Huffman coding; its length has a prefix of seven bits.</summary>
    private static void Append(List<byte> block, string text)
    {
        var bytes = Encoding.Latin1.GetBytes(text);
        if (bytes.Length < 127)
        {
            block.Add((byte)bytes.Length);
        }
        else
        {
            block.Add(127);
            var rest = bytes.Length - 127;
            for (; rest >= 128; rest >>= 7)
            {
                block.Add((byte)(rest | 128));
            }

            block.Add((byte)rest);
        }

        block.AddRange(bytes);
    }
}
