using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Ha.Chaos.Network;

namespace Ha.Tests.OnTheWire;

/// <summary>
/// Tells when the process at the other end of a loopback connection has read what it was sent: the kernel knows how many
/// bytes wait in each socket (sock_diag(7)). /proc/net/tcp knows it too, but takes milliseconds to say so.
/// </summary>
internal static class UnreadBytes
{
    private const int SockDiagByFamily = 20, Request = 1;
    private const int HeaderSize = 16, QuestionSize = 56;
    private const int UnreadAt = HeaderSize + 56;
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(1);

    /// <summary>Returns when nothing waits at the peer, or when the connection has gone.</summary>
    public static async Task NoneAtPeerAsync(Socket socket, CancellationToken cancellation)
    {
        var (here, there) = ((IPEndPoint)socket.LocalEndPoint!, (IPEndPoint)socket.RemoteEndPoint!);
        var kernel = OperatingSystem.IsLinux() ? Linux.OpenSocketDiagnosis() : -1;
        try
        {
            using var timer = new PeriodicTimer(_pause);
            if (kernel < 0)
            {
                // Nothing to look at: the pieces are merely likely to arrive one by one.
                await timer.WaitForNextTickAsync(cancellation);
                return;
            }

            // What was sent over loopback is at the peer by now. Its acknowledgement comes later: no use to wait for that.
            while (HasUnread(kernel, there, here))
            {
                await timer.WaitForNextTickAsync(cancellation);
            }
        }
        finally
        {
            if (kernel >= 0)
            {
                _ = Linux.Close(kernel);
            }
        }
    }

    private static bool HasUnread(int kernel, IPEndPoint local, IPEndPoint remote)
    {
        // struct nlmsghdr and struct inet_diag_req_v2 of the kernel's headers: one TCP socket in whatever state.
        Span<byte> question = stackalloc byte[HeaderSize + QuestionSize];
        question.Clear();
        MemoryMarshal.Write(question, question.Length);
        MemoryMarshal.Write(question[4..], (short)SockDiagByFamily);
        MemoryMarshal.Write(question[6..], (short)Request);
        question[HeaderSize] = (byte)AddressFamily.InterNetwork;
        question[HeaderSize + 1] = (byte)ProtocolType.Tcp;
        question.Slice(HeaderSize + 4, 4).Fill(byte.MaxValue);
        var id = question[(HeaderSize + 8)..];
        BinaryPrimitives.WriteUInt16BigEndian(id, (ushort)local.Port);
        BinaryPrimitives.WriteUInt16BigEndian(id[2..], (ushort)remote.Port);
        local.Address.TryWriteBytes(id[4..], out _);
        remote.Address.TryWriteBytes(id[20..], out _);
        id[^8..].Fill(byte.MaxValue);

        // The answer is there when the question was sent.
        Span<byte> answer = stackalloc byte[512];
        if (!Linux.Send(kernel, question))
        {
            return false;
        }

        var length = Linux.Receive(kernel, answer);
        return length >= UnreadAt + sizeof(int)
            && MemoryMarshal.Read<short>(answer[4..]) == SockDiagByFamily
            && MemoryMarshal.Read<int>(answer[UnreadAt..]) != 0;
    }
}
