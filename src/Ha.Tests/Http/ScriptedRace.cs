extern alias server;

using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;
using AddressRace = server::Ha.Http.AddressRace;

namespace Ha.Tests.Http;

/// <summary>A race on the test's time, whose resolver and attempts do what the test says. The name is always the same.</summary>
internal sealed class ScriptedRace : IDisposable
{
    public const int Port = 8080;

    private readonly ConcurrentDictionary<IPAddress, TaskCompletionSource<Socket>> _attempts = new();
    private readonly ConcurrentQueue<(string Address, long Milliseconds)> _started = new();
    private readonly CancellationTokenSource _cancelled = new();
    private readonly long _begin;
    private int _ended;
    private int _told;

    public ScriptedRace(params string[] addresses)
    {
        _begin = Time.GetTimestamp();
        Resolved.SetResult([.. addresses.Select(IPAddress.Parse)]);
    }

    public ManualTime Time { get; } = new();

    /// <summary>What the resolver answers; set another to keep it waiting.</summary>
    public TaskCompletionSource<IPAddress[]> Resolved { get; set; } = new();

    /// <summary>Every attempt in order, with the time at which it began.</summary>
    public IReadOnlyList<(string Address, long Milliseconds)> Started => [.. _started];

    /// <summary>How many attempts ended because they were told to.</summary>
    public int Ended => Volatile.Read(ref _ended);

    /// <summary>How many attempts were told to end while they ran.</summary>
    public int Told => Volatile.Read(ref _told);

    /// <summary>False: an attempt goes on although it was told to end.</summary>
    public bool Obedient { get; init; } = true;

    public Task<Socket> ConnectAsync(int milliseconds) =>
        new AddressRace((_, _) => Resolved.Task, AttemptAsync, Time)
            .ConnectAsync(new DnsEndPoint("leader.example", Port), TimeSpan.FromMilliseconds(milliseconds), _cancelled.Token);

    public void Cancel() => _cancelled.Cancel();

    public void Succeed(string address, Socket socket) => Attempt(IPAddress.Parse(address)).SetResult(socket);

    public void Refuse(string address) =>
        Attempt(IPAddress.Parse(address)).SetException(new SocketException((int)SocketError.ConnectionRefused, "Connection refused"));

    /// <summary>Waits until so many attempts have begun and the next thing to happen is up to the time or the test.</summary>
    public Task BeganAsync(int count, bool last = false) =>
        Eventually.True(() => _started.Count == count && Time.Armed == (last ? 1 : 2));

    public async Task AdvanceAsync(int milliseconds, int count, bool last = false)
    {
        Time.Advance(TimeSpan.FromMilliseconds(milliseconds));
        await BeganAsync(count, last);
    }

    public void Dispose() => _cancelled.Dispose();

    private TaskCompletionSource<Socket> Attempt(IPAddress address) =>
        _attempts.GetOrAdd(address, static _ => new TaskCompletionSource<Socket>(TaskCreationOptions.RunContinuationsAsynchronously));

    private async Task<Socket> AttemptAsync(IPEndPoint address, CancellationToken cancellation)
    {
        using var told = cancellation.UnsafeRegister(_ => Interlocked.Increment(ref _told), state: null);
        _started.Enqueue((address.Address.ToString(), (Time.GetTimestamp() - _begin) / TimeSpan.TicksPerMillisecond));
        try
        {
            return await (Obedient ? Attempt(address.Address).Task.WaitAsync(cancellation) : Attempt(address.Address).Task);
        }
        catch (OperationCanceledException)
        {
            Interlocked.Increment(ref _ended);
            throw;
        }
    }
}
