using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Client;

/// <summary>Three real nodes lose their leader and are restarted one after the other, under writes and reads.</summary>
public class ClusterRoutingTests
{
    private const int Kills = 2, Writers = 8;

    [Fact]
    public async Task No_call_fails_and_every_write_happens_once_while_leaders_die_and_all_nodes_are_restarted()
    {
        var database = new Database();
        await using var cluster = new RestartableCluster(database.Map);
        await cluster.StartAsync();
        await using var services = Services(cluster);
        var client = services.GetRequiredService<IHttpClientFactory>().CreateClient("api");
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Database.Token);

        using var stop = new CancellationTokenSource();
        var written = new ConcurrentQueue<string>();
        var load = Enumerable.Range(0, Writers).Select(writer => Task.Run(() => WriteAsync(client, writer, written, stop.Token))).ToArray();
        for (var i = 0; i < Kills; i++)
        {
            await Progress(written);
            var leader = cluster.LeaderIndex;
            await cluster.KillAsync(leader);
            await cluster.SettledAsync();
            await Progress(written);
            await cluster.StartAsync(leader);
            await cluster.SettledAsync();
        }

        for (var i = 0; i < cluster.Urls.Length; i++)
        {
            await cluster.StopAsync(i);
            await cluster.StartAsync(i);
            await cluster.SettledAsync();
            await Progress(written);
        }

        await stop.CancelAsync();
        await Task.WhenAll(load);
        Assert.Equal(written.Order(StringComparer.Ordinal), database.Notes.Order(StringComparer.Ordinal));
    }

    private static Task Progress(ConcurrentQueue<string> written)
    {
        var goal = written.Count + (5 * Writers);
        return Support.Eventually.True(() => written.Count >= goal);
    }

    private static async Task WriteAsync(HttpClient client, int writer, ConcurrentQueue<string> written, CancellationToken stop)
    {
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(40));
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            var text = string.Create(CultureInfo.InvariantCulture, $"{writer}-{i}");
            using var response = await client.PostAsync("/notes", new StringContent(text), CancellationToken.None);
            Assert.Equal(HttpStatusCode.Created, response.StatusCode);
            written.Enqueue(text);
            Assert.Equal("ok", await client.GetStringAsync("/notes", CancellationToken.None));
            await pace.WaitForNextTickAsync(CancellationToken.None);
        }
    }

    private static ServiceProvider Services(RestartableCluster cluster)
    {
        var services = new ServiceCollection();
        services.AddHttpClient("api").AddLeaderRouting(options =>
        {
            options.Nodes = cluster.Urls;
            options.AddIdempotencyKey = true;
        });
        return services.BuildServiceProvider();
    }

    /// <summary>What a database does for an app: one transaction at a time, a fence, and a table of keys.</summary>
    private sealed class Database
    {
        public const string Token = "secret";

        private readonly Lock _lock = new();
        private readonly HashSet<string> _keys = [];
        private readonly List<string> _notes = [];
        private long _fence;

        public IReadOnlyList<string> Notes => _notes;

        public void Map(WebApplication app)
        {
            app.MapGet("/notes", context => Allowed(context) ? context.Response.WriteAsync("ok", context.RequestAborted) : Task.CompletedTask);
            app.MapPost("/notes", WriteAsync);
        }

        private static bool Allowed(HttpContext context)
        {
            var allowed = context.Request.Headers.Authorization == $"Bearer {Token}";
            context.Response.StatusCode = allowed ? 200 : 401;
            return allowed;
        }

        private async Task WriteAsync(HttpContext context)
        {
            var epoch = context.Features.Get<IHaFeature>()!.Epoch;
            using var reader = new StreamReader(context.Request.Body);
            var text = await reader.ReadToEndAsync(context.RequestAborted);
            if (!Allowed(context))
            {
                return;
            }

            lock (_lock)
            {
                if (epoch < _fence)
                {
                    throw new NotLeaderException();
                }

                _fence = epoch;
                if (_keys.Add(context.Request.Headers["Idempotency-Key"].ToString()))
                {
                    _notes.Add(text);
                }
            }

            context.Response.StatusCode = StatusCodes.Status201Created;
        }
    }
}
