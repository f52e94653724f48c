using System.Net;
using System.Net.Sockets;

namespace Ha.Http;

/// <summary>
/// Where the members are now. Heartbeats and forwarded requests of a node connect through one of these, so what a heartbeat finds out
/// about an address holds for writes too. Thread-safe.
/// </summary>
/// <remarks>
/// The story of a name:
/// <list type="number">
/// <item>Each new connection looks it up, but waits only briefly once there are addresses that were good before. They are raced.</item>
/// <item>While there are connections it is looked up every 30 s, and when a heartbeat gets no answer. No request waits for that.</item>
/// <item>What a look-up said, a failure too, is good for a second.</item>
/// <item>A name that lost the address of a connection changes its member's <see cref="VersionOf"/>: that member's handlers are made anew,
/// and what runs on the old connections may end there. Another order, a further address, a failure or an empty answer changes
/// nothing.</item>
/// <item>If the lost address swallows packets, its connections end (<see cref="LostConnections"/>).</item>
/// <item>Where somebody else answers a heartbeat, the version changes too, and no request is sent until the member answers again.</item>
/// </list>
/// </remarks>
internal sealed class MemberAddresses : IDisposable
{
    private static readonly TimeSpan _betweenLookups = TimeSpan.FromSeconds(30);

    // A dead member is connected to, and silent, at each heartbeat. Who moves a name tells resolvers so in seconds (RFC 1035, 3.2.1).
    private static readonly TimeSpan _goodFor = TimeSpan.FromSeconds(1);

    // Fresh addresses are worth a part of the time to connect, and not more than one address that swallows packets.
    private const int ShareOfConnecting = 8;
    private static readonly TimeSpan _mostWait = TimeSpan.FromMilliseconds(250);

    // A lease store's members come and go.
    private static readonly TimeSpan _forgottenAfter = TimeSpan.FromMinutes(10);

    private readonly Func<string, CancellationToken, Task<IPAddress[]>> _resolve;
    private readonly Func<IPEndPoint, CancellationToken, Task<Socket>>? _open;
    private readonly LostConnections _lost;
    private readonly TimeProvider _clock;
    private readonly ITimer _timer;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Host, int Port), Member> _members = [];

    /// <param name="resolve">All addresses of a name, the preferred one first. Default: the system's resolver.</param>
    /// <param name="clock">Of look-ups and races. Default: the system's.</param>
    /// <param name="open">One attempt to connect. Default: TCP.</param>
    public MemberAddresses(
        Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null,
        TimeProvider? clock = null,
        Func<IPEndPoint, CancellationToken, Task<Socket>>? open = null)
    {
        _resolve = resolve ?? Dns.GetHostAddressesAsync;
        _open = open;
        _clock = clock ?? TimeProvider.System;
        _lost = new LostConnections(open, _clock);
        _timer = _clock.CreateTimer(_ => LookUpAll(), state: null, _betweenLookups, _betweenLookups);
    }

    /// <summary>Another object whenever connections to the member that were made before should carry no new request.</summary>
    /// <param name="host">A name or an address.</param>
    /// <param name="port">The member's.</param>
    public object VersionOf(string host, int port)
    {
        lock (_lock)
        {
            return FindNeedsLock(host, port).Version;
        }
    }

    /// <param name="target">A name or an address, and a port.</param>
    /// <param name="timeout">For everything, resolving the name included.</param>
    /// <param name="forRequests">True: not to where somebody else has answered the last heartbeat.</param>
    /// <param name="cancellation">Ends all attempts.</param>
    /// <exception cref="SocketException">No address answered, or not the member; the message says what became of each.</exception>
    public async Task<Socket> ConnectAsync(DnsEndPoint target, TimeSpan timeout, bool forRequests, CancellationToken cancellation)
    {
        var member = Find(target.Host, target.Port);
        if (forRequests && member.IsStranger)
        {
            throw new SocketException((int)SocketError.ConnectionRefused, $"somebody else answers heartbeats at {target.Host}:{target.Port}");
        }

        var socket = await new AddressRace((_, over) => AddressesAsync(member, timeout, over), _open, _clock)
            .ConnectAsync(target, timeout, cancellation);
        try
        {
            Track(member, socket);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>A heartbeat was answered.</summary>
    /// <param name="target">A URL of the member's.</param>
    /// <param name="byMember">False: not by the member.</param>
    public void Answered(Uri target, bool byMember)
    {
        var member = Find(target.IdnHost, target.Port);
        lock (_lock)
        {
            if (!byMember && !member.IsStranger)
            {
                member.Connections.Clear();
                member.Version = new object();
            }

            member.IsStranger = !byMember;
        }

        if (!byMember)
        {
            _ = LookUp(member);
        }
    }

    /// <summary>A heartbeat was not answered, or by nobody who could be told from the member.</summary>
    /// <param name="target">A URL of the member's.</param>
    public void Silent(Uri target) => _ = LookUp(Find(target.IdnHost, target.Port));

    public void Dispose()
    {
        _timer.Dispose();
        _stopping.Cancel();
    }

    private Member Find(string host, int port)
    {
        lock (_lock)
        {
            return FindNeedsLock(host, port);
        }
    }

    private Member FindNeedsLock(string host, int port)
    {
        if (!_members.TryGetValue((host, port), out var member))
        {
            member = new Member(host);
            _members[(host, port)] = member;
        }

        member.UsedAt = _clock.GetTimestamp();
        return member;
    }

    private async Task<IPAddress[]> AddressesAsync(Member member, TimeSpan timeout, CancellationToken over)
    {
        var lookup = LookUp(member);
        if (member.Known.Length == 0)
        {
            return await lookup.WaitAsync(over);
        }

        var wait = timeout / ShareOfConnecting;
        await ((Task)lookup).WaitAsync(wait > _mostWait || wait < TimeSpan.Zero ? _mostWait : wait, _clock, over)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return member.Known;
    }

    private void LookUpAll()
    {
        List<Member> inUse = [];
        lock (_lock)
        {
            foreach (var (name, member) in _members)
            {
                member.Connections.RemoveAll(static connection => connection.SafeHandle.IsClosed);
                if (member.Connections.Count > 0)
                {
                    inUse.Add(member);
                }
                else if (_clock.GetElapsedTime(member.UsedAt) > _forgottenAfter)
                {
                    _members.Remove(name);
                }
            }
        }

        inUse.ForEach(member => _ = LookUp(member));
    }

    /// <summary>One at a time. One that hangs is not waited for by the next round, and what it says then counts no more.</summary>
    private Task<IPAddress[]> LookUp(Member member)
    {
        lock (_lock)
        {
            if (member.IsAddress)
            {
                return member.Lookup;
            }

            if (member.Lookups > 0 && _clock.GetElapsedTime(member.LookedUpAt) < (member.Lookup.IsCompleted ? _goodFor : _betweenLookups))
            {
                return member.Lookup;
            }

            member.LookedUpAt = _clock.GetTimestamp();
            var number = ++member.Lookups;
            return member.Lookup = AddressRace.Observed(Task.Run(() => LookUpAsync(member, number)));
        }
    }

    private async Task<IPAddress[]> LookUpAsync(Member member, int number)
    {
        var found = await _resolve(member.Host, _stopping.Token);
        if (found.Length == 0)
        {
            throw new SocketException((int)SocketError.HostNotFound, $"{member.Host}: no address");
        }

        List<Socket> lost;
        lock (_lock)
        {
            if (number < member.Answer)
            {
                return member.Known;
            }

            (member.Answer, member.Known) = (number, found);
            lost = TakeLostNeedsLock(member);
        }

        _ = _lost.EndIfSwallowedAsync(lost, _stopping.Token);
        return found;
    }

    private void Track(Member member, Socket socket)
    {
        // Throws for a connection that was reset at once.
        _ = socket.RemoteEndPoint;
        List<Socket> lost;
        lock (_lock)
        {
            member.Connections.RemoveAll(static connection => connection.SafeHandle.IsClosed);
            member.Connections.Add(socket);
            lost = TakeLostNeedsLock(member);
        }

        // The name may have moved while this was connecting.
        _ = _lost.EndIfSwallowedAsync(lost, _stopping.Token);
    }

    private static List<Socket> TakeLostNeedsLock(Member member)
    {
        if (member.IsAddress)
        {
            return [];
        }

        var lost = member.Connections.FindAll(
            connection => LostConnections.AddressOf(connection) is { } end && !member.Known.Contains(end.Address));
        if (lost.Count > 0)
        {
            member.Connections.RemoveAll(lost.Contains);
            member.Version = new object();
        }

        return lost;
    }

    private sealed class Member(string host)
    {
        private IPAddress[] _known = [];

        public string Host => host;

        public bool IsAddress { get; } = IPAddress.TryParse(host, out _);

        public object Version { get; set; } = new();

        /// <summary>The last answer that had any; never empty again.</summary>
        public IPAddress[] Known
        {
            get => Volatile.Read(ref _known);
            set => Volatile.Write(ref _known, value);
        }

        public Task<IPAddress[]> Lookup { get; set; } = Task.FromResult<IPAddress[]>([]);

        public long LookedUpAt { get; set; }

        public int Lookups { get; set; }

        /// <summary>The number of the look-up that <see cref="Known"/> is of.</summary>
        public int Answer { get; set; }

        public long UsedAt { get; set; }

        /// <summary>True: the last heartbeat that was answered was answered by somebody else.</summary>
        public bool IsStranger { get; set; }

        /// <summary>Those that new requests may take.</summary>
        public List<Socket> Connections { get; } = [];
    }
}
