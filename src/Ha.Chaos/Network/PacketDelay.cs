using System.Buffers.Binary;

namespace Ha.Chaos.Network;

/// <summary>
/// Holds packets back in user space: the kernel queues what an iptables rule (<c>-j NFQUEUE</c>) picks, and this lets each
/// packet go after its own time, so that they may overtake one another. It needs no kernel module for traffic control.
/// </summary>
internal sealed class PacketDelay : IDisposable
{
    public const int Queue = 7;

    private const byte MessageVerdict = 1;
    private const byte MessageConfig = 2;
    private const uint Accept = 1;
    private readonly Func<TimeSpan> _delay;
    private readonly TimeProvider _clock;
    private readonly PriorityQueue<uint, long> _held = new();
    private readonly Thread _thread;
    private int _socket;
    private volatile bool _stop;

    /// <param name="name">The namespace with the rule.</param>
    /// <param name="delay">The next packet's delay; called on one thread.</param>
    /// <param name="clock">Measures it.</param>
    /// <exception cref="InvalidOperationException">The kernel has no packet queues.</exception>
    public PacketDelay(string name, Func<TimeSpan> delay, TimeProvider clock)
    {
        (_delay, _clock) = (delay, clock);
        var bound = new TaskCompletionSource();
        _thread = new Thread(() => Run(name, bound)) { IsBackground = true, Name = $"packets of {name}" };
        _thread.Start();
        bound.Task.GetAwaiter().GetResult();
    }

    /// <summary>How many packets were held.</summary>
    public int Count { get; private set; }

    /// <summary>Lets everything go. Remove the rule first.</summary>
    public void Dispose()
    {
        _stop = true;
        _thread.Join();
    }

    private void Run(string name, TaskCompletionSource bound)
    {
        try
        {
            Linux.EnterNamespace(name);
            _socket = Linux.OpenNetfilter();
            // Step 1: this socket takes the queue. Step 2: the packets' ids are enough, without their bytes.
            SendMessage(MessageConfig, 1, [1, 0, 0, 0]);
            SendMessage(MessageConfig, 2, [0, 0, 0, 0, 1]);
            bound.SetResult();
        }
        catch (Exception e) when (e is InvalidOperationException or IOException)
        {
            bound.SetException(e);
            return;
        }

        var buffer = new byte[1 << 16];
        while (!_stop)
        {
            if (Linux.WaitToRead(_socket, MillisecondsToNext()))
            {
                var length = Linux.Receive(_socket, buffer);
                Hold(buffer.AsSpan(0, Math.Max(length, 0)));
            }

            Release(_clock.GetTimestamp());
        }

        Release(long.MaxValue);
        _ = Linux.Close(_socket);
    }

    private int MillisecondsToNext() => !_held.TryPeek(out _, out var due) ? 20
        : (int)Math.Clamp((due - _clock.GetTimestamp()) * 1000 / _clock.TimestampFrequency, 0, 20);

    /// <summary>Reads netlink messages: length, type, then a netfilter header and attributes, of which the first has the packet's id.</summary>
    private void Hold(ReadOnlySpan<byte> messages)
    {
        while (messages.Length >= 16)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(messages);
            var type = BinaryPrimitives.ReadUInt16LittleEndian(messages[4..]);
            if (length < 16 || length > messages.Length)
            {
                return;
            }

            if (type >> 8 == 3 && (type & 0xff) == 0 && length >= 28)
            {
                var id = BinaryPrimitives.ReadUInt32BigEndian(messages[24..]);
                _held.Enqueue(id, _clock.GetTimestamp() + (long)(_delay().TotalSeconds * _clock.TimestampFrequency));
                Count++;
            }

            messages = messages[Math.Min((length + 3) & ~3, messages.Length)..];
        }
    }

    private void Release(long now)
    {
        Span<byte> verdict = stackalloc byte[8];
        while (_held.TryPeek(out var id, out var due) && due <= now)
        {
            _held.Dequeue();
            BinaryPrimitives.WriteUInt32BigEndian(verdict, Accept);
            BinaryPrimitives.WriteUInt32BigEndian(verdict[4..], id);
            SendMessage(MessageVerdict, 2, verdict);
        }
    }

    private void SendMessage(byte message, ushort attribute, ReadOnlySpan<byte> data)
    {
        Span<byte> bytes = stackalloc byte[64];
        bytes.Clear();
        var length = 20 + 4 + data.Length;
        BinaryPrimitives.WriteInt32LittleEndian(bytes, (length + 3) & ~3);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[4..], (ushort)((3 << 8) | message));
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[6..], 1);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[18..], Queue);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[20..], (ushort)(4 + data.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[22..], attribute);
        data.CopyTo(bytes[24..]);
        if (!Linux.Send(_socket, bytes[..((length + 3) & ~3)]))
        {
            throw new InvalidOperationException("the kernel's packet queue does not answer");
        }
    }
}
