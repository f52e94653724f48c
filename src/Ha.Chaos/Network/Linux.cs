using System.Runtime.InteropServices;

namespace Ha.Chaos.Network;

/// <summary>The few system calls that .NET has no API for.</summary>
internal static partial class Linux
{
    public const int NewNet = 0x40000000;
    public const short PollIn = 1;
    private const int AddressNetlink = 16;
    private const int SocketRaw = 3;
    private const int CloseOnExec = 0x80000;
    private const int ProtocolNetfilter = 12;
    private const int ProtocolSocketDiagnosis = 4;
    private const int DontWait = 0x40;

    /// <summary>Moves the calling thread, not the process, into a network namespace.</summary>
    public static void EnterNamespace(string name)
    {
        using var handle = File.OpenHandle($"/run/netns/{name}");
        if (SetNamespace((int)handle.DangerousGetHandle(), NewNet) != 0)
        {
            throw new InvalidOperationException($"setns({name}) failed: errno {Marshal.GetLastPInvokeError()}");
        }
    }

    public static int OpenNetfilter()
    {
        var socket = NewSocket(AddressNetlink, SocketRaw | CloseOnExec, ProtocolNetfilter);
        return socket >= 0 ? socket : throw new InvalidOperationException($"a netfilter socket failed: errno {Marshal.GetLastPInvokeError()}");
    }

    /// <summary>A socket that answers questions about other sockets; negative: this kernel has none.</summary>
    public static int OpenSocketDiagnosis() => NewSocket(AddressNetlink, SocketRaw | CloseOnExec, ProtocolSocketDiagnosis);

    public static bool Send(int socket, ReadOnlySpan<byte> data) => SendData(socket, data, (nuint)data.Length, 0) == data.Length;

    /// <summary>How many bytes there were; 0 or less: none now.</summary>
    public static int Receive(int socket, Span<byte> buffer) => (int)ReceiveData(socket, buffer, (nuint)buffer.Length, DontWait);

    public static bool WaitToRead(int socket, int milliseconds)
    {
        var poll = new PollFd { Socket = socket, Events = PollIn };
        return Poll(ref poll, 1, milliseconds) > 0;
    }

    [LibraryImport("libc", EntryPoint = "close")]
    public static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static partial int SetNamespace(int descriptor, int kind);

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int NewSocket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static partial nint SendData(int socket, ReadOnlySpan<byte> data, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    private static partial nint ReceiveData(int socket, Span<byte> data, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref PollFd descriptors, nuint count, int milliseconds);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollFd
    {
        public int Socket;
        public short Events;
        public short Returned;
    }
}
