using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Ha.Tests.Balancers;

/// <summary>A name server on loopback: every name has <see cref="Address"/>, or none does while that is null.</summary>
internal sealed class TinyDns : IAsyncDisposable
{
    private const int HeaderBytes = 12;
    private const int TypeAndClassBytes = 4;
    private static readonly byte[] _answerHead = [0xC0, HeaderBytes, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4];

    private readonly UdpClient _socket = new(new IPEndPoint(IPAddress.Loopback, 0));
    private readonly Task _serving;

    public TinyDns() => _serving = ServeAsync();

    public string EndPoint => _socket.Client.LocalEndPoint!.ToString()!;

    public IPAddress? Address { get; set; }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _serving;
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                var query = await _socket.ReceiveAsync();
                await _socket.SendAsync(Answer(query.Buffer), query.RemoteEndPoint);
            }
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            // Disposed.
        }
    }

    /// <summary>The question again, and an A record to a question for one (RFC 1035 section 4).</summary>
    private byte[] Answer(byte[] query)
    {
        var end = HeaderBytes + Array.IndexOf(query[HeaderBytes..], (byte)0) + 1 + TypeAndClassBytes;
        var address = Address;
        var found = address is not null && query[end - TypeAndClassBytes + 1] == 1;
        byte[] answer = [.. query[..end], .. found ? [.. _answerHead, .. address!.GetAddressBytes()] : Array.Empty<byte>()];
        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(2), (ushort)(address is null ? 0x8183 : 0x8180));
        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(6), (ushort)(found ? 1 : 0));
        // What HAProxy adds about itself (EDNS) is not repeated.
        answer.AsSpan(8, 4).Clear();
        return answer;
    }
}
