using System.Collections.Concurrent;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using Ha.Grpc.Client;
using Ha.Tests.Endpoints.GrpcHealth;
using Ha.Tests.Processes;
using Ha.Tests.Support;
using Xunit.Abstractions;

namespace Ha.Tests.GrpcClient;

/// <summary>The client against three processes with TLS that die and are rolled while it calls.</summary>
[Collection(ProcessTests.Name)]
[Trait("Category", "Long")]
public sealed class LeaderProcessesTests(ITestOutputHelper output)
{
    private static readonly Marshaller<string> _text = Marshallers.StringMarshaller;
    private static readonly Method<string, string> _say = new(MethodType.Unary, "test.Echo", "Say", _text, _text);

    [Fact]
    public async Task Calls_that_wait_get_through_kills_and_rolls_straight_to_the_leader()
    {
        await using var cluster = new EchoCluster(output);
        await cluster.StartAsync();
        using var root = X509CertificateLoader.LoadCertificateFromFile(cluster.CertificateFile);
        using var channel = GrpcChannel.ForAddress(
            $"ha:///{string.Join(',', cluster.Nodes.Select(node => new Uri(node.Url).Authority))}",
            new GrpcChannelOptions
            {
                HttpHandler = new SocketsHttpHandler
                {
                    UseProxy = false,
                    SslOptions = { CertificateChainPolicy = TestAuthority.Policy(root) },
                },
                DisposeHttpClient = true,
            }.UseHaLeader());
        var calls = channel.WithHaRepeats();
        var answers = new ConcurrentQueue<(long Sent, long Got, string Text)>();
        using var end = new CancellationTokenSource();
        var clock = TimeProvider.System;
        var load = Task.Run(async () =>
        {
            var running = new List<Task>();
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
            while (!end.IsCancellationRequested)
            {
                await timer.WaitForNextTickAsync();
                running.Add(CallAsync());
            }

            await Task.WhenAll(running);
        });

        for (var i = 0; i < 4; i++)
        {
            await Eventually.True(() => answers.Count > 100 * (i + 1));
            var leader = answers.Last().Text.Split(' ')[0];
            var node = cluster.Nodes.Single(node => node.Id == leader);
            var from = clock.GetTimestamp();
            if (i % 2 == 0)
            {
                node.Kill();
            }
            else
            {
                await node.StopAsync(TimeSpan.FromSeconds(20));
            }

            var byOthers = answers.Where(answer => answer.Got > from && !answer.Text.StartsWith(leader, StringComparison.Ordinal));
            await Eventually.True(() => byOthers.Any(answer => answer.Sent > from));
            var pause = clock.GetElapsedTime(from, byOthers.Min(answer => answer.Got));
            output.WriteLine($"{(i % 2 == 0 ? "kill" : "roll")} of {leader}: the next leader answers after {pause.TotalMilliseconds:0} ms");
            await node.StopAsync(TimeSpan.Zero);
            node.Start();
            await Task.Delay(TimeSpan.FromSeconds(3));
        }

        await end.CancelAsync();
        await load;
        var direct = answers.Count(answer => answer.Text.Contains(" direct ", StringComparison.Ordinal));
        output.WriteLine($"{answers.Count} calls, {direct} straight to the leader");
        Assert.InRange(direct, answers.Count * 0.99, answers.Count);

        async Task CallAsync()
        {
            var sent = clock.GetTimestamp();
            using var call = calls.AsyncUnaryCall(_say, null, LeaderChannel.InHalfAMinute(wait: true).WithIdempotencyKey(), "x");
            var text = await call;
            answers.Enqueue((sent, clock.GetTimestamp(), text));
        }
    }
}
