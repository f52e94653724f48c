using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Ha.Outside.Tests;

/// <summary>A <see cref="LuxLeader"/> inside an application's own provider keeps heartbeats, drain, fence and step-down.</summary>
public class WrappedLeaderTests
{
    private const string Token = "a-token-that-is-long-enough-for-this-test";

    [Fact]
    public async Task Three_nodes_elect_drain_and_hand_over()
    {
        await using var cluster = await Cluster.StartAsync();
        var leader = await cluster.LeaderAsync();
        var (inside, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        cluster[leader].OnWrite = async _ =>
        {
            inside.TrySetResult();
            await goOn.Task;
        };
        using var client = cluster[leader].Client();
        var write = client.PostAsync("/orders", null);
        await inside.Task;

        var to = Cluster.Ids.Last(id => id != leader);
        // Asked again while the other is not known to be able yet. It drains: still leader for as long as the write runs.
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (await cluster.ReadyTextAsync(leader) != "draining\n")
        {
            Assert.True(await StepDownAsync(client, to) is HttpStatusCode.Accepted or HttpStatusCode.Conflict);
            await Task.Delay(20, limit.Token);
        }

        Assert.True(cluster.Wrapped(leader).IsLeader);
        Assert.DoesNotContain(Cluster.Ids, id => id != leader && cluster.Wrapped(id).IsLeader);
        goOn.SetResult();
        using var answer = await write;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await cluster.Wrapped(to).WhenAsync(now => now.IsLeader);
    }

    [Fact]
    public async Task A_fence_that_a_stranger_has_raised_is_overtaken()
    {
        await using var cluster = await Cluster.StartAsync();
        var leader = await cluster.LeaderAsync();
        var epoch = cluster.Wrapped(leader).Current.Epoch;
        cluster.Fence = epoch + 100;
        cluster[leader].OnWrite = context =>
            context.Features.Get<IHaFeature>()!.Epoch < cluster.Fence ? throw new NotLeaderException() : Task.CompletedTask;
        using var client = cluster[leader].Client();

        using var refused = await client.PostAsync("/orders", null);
        await cluster.Wrapped(leader).WhenAsync(now => now.IsLeader && now.Epoch > epoch + 100);
        using var answer = await client.PostAsync("/orders", null);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    private static async Task<HttpStatusCode> StepDownAsync(HttpClient client, string to)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/_ha/step-down") { Content = new StringContent($$"""{"to":"{{to}}"}""") };
        request.Headers.Authorization = new("Bearer", Token);
        using var answer = await client.SendAsync(request);
        return answer.StatusCode;
    }

    /// <summary>All calls go through, and are counted.</summary>
    private sealed class Wrapper(LuxLeader inner) : ILeaderProvider, IAsyncDisposable
    {
        private int _looks;

        public int Looks => _looks;

        public bool IsLeader => inner.IsLeader;

        public string? RedirectTarget => inner.RedirectTarget;

        public LeadershipSnapshot Current
        {
            get
            {
                Interlocked.Increment(ref _looks);
                return inner.Current;
            }
        }

        public Task Ready => inner.Ready;

        public ILeadershipControl Control => inner.Control;

        public IChangeToken GetChangeToken() => inner.GetChangeToken();

        public Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default) => inner.WaitForLeaderAsync(cancellationToken);

        /// <summary>Looks at each change here and, for what changes elsewhere, every 20 ms. At most 30 s.</summary>
        public async Task WhenAsync(Func<LeadershipSnapshot, bool> condition)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            while (!condition(Current))
            {
                var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                using var registration = GetChangeToken().RegisterChangeCallback(_ => changed.TrySetResult(), null);
                await Task.WhenAny(changed.Task, Task.Delay(20, limit.Token));
                limit.Token.ThrowIfCancellationRequested();
            }
        }

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }

    private sealed class Cluster : IAsyncDisposable
    {
        private static readonly string[] _ids = ["a", "b", "c"];
        private readonly ConcurrentDictionary<string, App> _apps = new(StringComparer.Ordinal);
        private long _fence;

        public static IReadOnlyList<string> Ids => _ids;

        /// <summary>The highest epoch that was stored.</summary>
        public long Fence
        {
            get => Interlocked.Read(ref _fence);
            set => Interlocked.Exchange(ref _fence, value);
        }

        public App this[string id] => _apps[id];

        public static async Task<Cluster> StartAsync()
        {
            var cluster = new Cluster();
            await Task.WhenAll(_ids.Select(cluster.StartAsync));
            return cluster;
        }

        public Wrapper Wrapped(string id) => (Wrapper)this[id].Services.GetRequiredService<ILeaderProvider>();

        public async Task<string> ReadyTextAsync(string id)
        {
            using var client = this[id].Client();
            using var answer = await client.GetAsync("/_ha/healthz/ready");
            return await answer.Content.ReadAsStringAsync();
        }

        /// <summary>Whoever leads, once all agree on it.</summary>
        public async Task<string> LeaderAsync()
        {
            string? leader = null;
            await Wrapped("a").WhenAsync(_ =>
            {
                leader = _ids.FirstOrDefault(id => Wrapped(id).IsLeader);
                return leader is not null && _ids.All(id => Wrapped(id).Current.LeaderId == leader);
            });
            Assert.True(Wrapped("a").Looks > 0);
            return leader!;
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var app in _apps.Values)
            {
                await app.DisposeAsync();
            }
        }

        private async Task StartAsync(string id) => _apps[id] = await App.StartAsync(
            services => services
                .AddHa(o => o.RaiseFence = RaiseAsync)
                .AddSingleton<ILeaderProvider>(s => new Wrapper(new LuxLeader(s.GetRequiredService<IOptions<HaOptions>>().Value, new InProcess(this)))),
            ("BASE_NODE_ID", id),
            ("BASE_LOCAL_TARGET", $"http://{id}.example"),
            ("BASE_PEERS", string.Join(',', _ids.Select(other => $"http://{other}.example"))),
            ("BASE_HEARTBEAT_INTERVAL", "250ms"),
            ("BASE_ADMIN_TOKEN", Token),
            ("BASE_INSECURE", "true"));

        private ValueTask<long> RaiseAsync(long epoch, CancellationToken cancellationToken)
        {
            var before = Fence;
            Fence = Math.Max(before, epoch);
            return ValueTask.FromResult(before);
        }

        /// <summary>Brings a heartbeat to the test server of the node whose name is its host.</summary>
        private sealed class InProcess(Cluster cluster) : HttpMessageHandler
        {
            protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
            {
                if (!cluster._apps.TryGetValue(request.RequestUri!.Host.Split('.')[0], out var app))
                {
                    throw new HttpRequestException(HttpRequestError.ConnectionError);
                }

                using var invoker = new HttpMessageInvoker(app.Server.CreateHandler());
                return await invoker.SendAsync(request, cancellationToken);
            }
        }
    }
}
