using System.Diagnostics;
using System.Globalization;
using System.Net;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;
using HealthClient = Grpc.Health.V1.Health.HealthClient;
using ServingStatus = Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace Ha.Benchmarks.Members;

/// <summary>
/// <c>watches [count=N] [seconds=S] [rounds=N]</c>: one node and the watchers of its gRPC health in one process. What they cost while
/// nothing happens, and from a change, or the end of a lease that nobody renews, until each of them knows.
/// </summary>
internal static class WatchesCommand
{
    private static readonly TimeSpan _lease = TimeSpan.FromMilliseconds(1500);

    public static async Task<int> RunAsync(string[] args)
    {
        var values = args.Select(arg => arg.Split('=', 2)).ToDictionary(pair => pair[0], pair => int.Parse(pair[1], CultureInfo.InvariantCulture));
        var (count, seconds) = (values.GetValueOrDefault("count", 500), values.GetValueOrDefault("seconds", 10));
        var rounds = values.GetValueOrDefault("rounds", 20);
        var leader = new SetLeader();
        await using var app = await StartAsync(leader);
        using var channel = GrpcChannel.ForAddress(
            app.Urls.Single(),
            new GrpcChannelOptions { HttpHandler = new SocketsHttpHandler { UseProxy = false, EnableMultipleHttp2Connections = true } });
        using var end = new CancellationTokenSource();
        var told = new Told(count);
        var watches = Enumerable.Range(0, count).Select(_ => WatchAsync(new HealthClient(channel), told, end.Token)).ToArray();
        await told.AllAsync(TimeProvider.System.GetTimestamp());

        leader.Lead(_lease);
        await told.AllAsync(TimeProvider.System.GetTimestamp());
        await Task.Delay(1000);
        var (cpu, from) = (Process.GetCurrentProcess().TotalProcessorTime, Stopwatch.GetTimestamp());
        for (var i = 0; i < 2 * seconds; i++)
        {
            await Task.Delay(500);
            leader.Renew(_lease);
        }

        var share = (Process.GetCurrentProcess().TotalProcessorTime - cpu) / Stopwatch.GetElapsedTime(from);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{count} watches, idle on a leader: {100 * share:F2} % of a core, server and clients together"));

        List<double> changes = [], lapses = [];
        for (var i = 0; i < rounds; i++)
        {
            changes.Add(await TimedAsync(told, () => leader.Follow()));
            changes.Add(await TimedAsync(told, () => leader.Lead(TimeSpan.FromMilliseconds(200))));
            lapses.Add(await told.AllAsync(leader.EndOfLease));
            changes.Add(await TimedAsync(told, () => leader.Lead(_lease)));
        }

        Console.WriteLine(Line("told of a change", changes));
        Console.WriteLine(Line("told of a lapse", lapses));
        await end.CancelAsync();
        await Task.WhenAll(watches);
        return 0;
    }

    private static async Task<WebApplication> StartAsync(SetLeader leader)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<ILeaderProvider>(leader);
        builder.Services.AddHaGrpc();
        var app = builder.Build();
        app.MapHaGrpcHealth();
        await app.StartAsync();
        return app;
    }

    private static async Task WatchAsync(HealthClient client, Told told, CancellationToken end)
    {
        using var watch = client.Watch(new HealthCheckRequest { Service = "ha.Leader" }, cancellationToken: end);
        try
        {
            while (await watch.ResponseStream.MoveNext(end))
            {
                told.Add(watch.ResponseStream.Current.Status);
            }
        }
        catch (RpcException) when (end.IsCancellationRequested)
        {
            // As asked.
        }
    }

    private static Task<double> TimedAsync(Told told, Action change)
    {
        var from = TimeProvider.System.GetTimestamp();
        change();
        return told.AllAsync(from);
    }

    private static string Line(string what, List<double> milliseconds)
    {
        milliseconds.Sort();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"the last one {what} after, ms: median {milliseconds[milliseconds.Count / 2]:F1}, worst of {milliseconds.Count}: {milliseconds[^1]:F1}");
    }

    /// <summary>How many watchers know what.</summary>
    private sealed class Told(int count)
    {
        private readonly Lock _lock = new();
        private readonly Dictionary<ServingStatus, int> _told = [];
        private TaskCompletionSource<long> _all = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Add(ServingStatus status)
        {
            lock (_lock)
            {
                _told[status] = _told.GetValueOrDefault(status) + 1;
                if (_told[status] == count)
                {
                    _told[status] = 0;
                    _all.SetResult(TimeProvider.System.GetTimestamp());
                }
            }
        }

        /// <returns>Milliseconds from <paramref name="from"/> until the last one knew.</returns>
        public async Task<double> AllAsync(long from)
        {
            var to = await _all.Task.WaitAsync(TimeSpan.FromSeconds(30));
            _all = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            return TimeProvider.System.GetElapsedTime(from, to).TotalMilliseconds;
        }
    }

    private sealed class SetLeader : ILeaderProvider
    {
        private CancellationTokenSource _changed = new();
        private LeaderLease? _lease;
        private long _epoch;

        public bool IsLeader => Current.IsLeader;

        public string? RedirectTarget => null;

        public LeadershipSnapshot Current { get; private set; } = LeadershipSnapshot.Nobody("a");

        public Task Ready => Task.CompletedTask;

        public long EndOfLease { get; private set; }

        public void Lead(TimeSpan lease)
        {
            _lease = new LeaderLease();
            Renew(lease);
            Set(LeadershipSnapshot.Leader("a", ++_epoch, _lease));
        }

        public void Renew(TimeSpan lease)
        {
            EndOfLease = TimeProvider.System.GetTimestamp() + (long)(lease.TotalSeconds * TimeProvider.System.TimestampFrequency);
            _lease!.Renew(lease);
        }

        public void Follow()
        {
            _lease?.End();
            Set(LeadershipSnapshot.Nobody("a"));
        }

        public IChangeToken GetChangeToken() => new CancellationChangeToken(Volatile.Read(ref _changed).Token);

        public Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default) => Task.FromResult(Current);

        private void Set(LeadershipSnapshot snapshot)
        {
            Current = snapshot;
            Interlocked.Exchange(ref _changed, new CancellationTokenSource()).Cancel();
        }
    }
}
