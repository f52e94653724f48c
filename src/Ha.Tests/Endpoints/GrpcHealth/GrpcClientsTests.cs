using System.Collections.Concurrent;
using System.Diagnostics;
using Ha.Tests.Processes;
using Ha.Tests.Support;
using Xunit.Abstractions;

namespace Ha.Tests.Endpoints.GrpcHealth;

/// <summary>Clients that are not ours find the leader by its health, lose it, and find the next one.</summary>
[Collection(ProcessTests.Name)]
public sealed class GrpcClientsTests(ITestOutputHelper output)
{
    internal static readonly string Folder = Path.Combine(Repository.Root, "src", "Ha.Tests", "Endpoints", "GrpcHealth", "clients");

    [FactIfGrpcClients]
    public async Task Calls_of_python_and_nodejs_go_to_the_leader_and_move_to_the_next()
    {
        await using var cluster = new EchoCluster(output);
        var nodes = await cluster.StartAsync();
        var (leader, follower, other) = (nodes[0].Id, nodes[1].Id, nodes[2].Id);
        var targets = nodes.Select(node => $"{node.Id}={new Uri(node.Url).Authority}").ToArray();
        using var python = new Client(output, FactIfGrpcClientsAttribute.Python, ["client.py", cluster.CertificateFile, .. targets]);
        using var node = new Client(output, FactIfGrpcClientsAttribute.Node, ["client.js", cluster.CertificateFile, .. targets]);
        await Task.WhenAll(python.SawAsync($"calls {leader} direct x"), node.SawAsync($"calls {leader} direct x"));

        nodes[0].Kill();
        var killed = TimeProvider.System.GetTimestamp();
        await Task.WhenAll(python.SawAsync($"calls {follower} direct x"), node.SawAsync($"calls {follower} direct x"));
        output.WriteLine($"calls went to {follower} {TimeProvider.System.GetElapsedTime(killed).TotalMilliseconds:0} ms after the kill; the lease is 2 s");

        Assert.Equal(
            $"""
            check NOT_SERVING SERVING NOT_FOUND
            say {leader} forwarded hello, OK, echo-end {leader}
            say FAILED_PRECONDITION, as asked, echo-end {leader}
            calls {leader} direct x
            calls {follower} direct x
            """, await python.EndAsync());
        Assert.Equal(await python.EndAsync(), await node.EndAsync());
        Assert.All(
            [$"watch {follower} NOT_SERVING", $"watch {follower} SERVING"],
            line => Assert.Contains(line, python.Lines));
        Assert.All(
            [$"watch {leader} SERVING", $"watch {leader} UNAVAILABLE", $"watch {follower} NOT_SERVING", $"watch {follower} SERVING", $"watch {other} NOT_SERVING"],
            line => Assert.Contains(line, node.Lines));

        // Those that were at the leader when it died: each client has one call under way at a time.
        Assert.All([python, node], client => Assert.InRange(client.Lines.Count(line => line.StartsWith("call ", StringComparison.Ordinal)), 0, 2));
    }

    /// <summary>A client's program and what it printed.</summary>
    private sealed class Client : IDisposable
    {
        private readonly ConcurrentQueue<string> _lines = new();
        private readonly ITestOutputHelper _output;
        private readonly Process _process;

        public Client(ITestOutputHelper output, string program, string[] arguments)
        {
            _output = output;
            _process = new Process
            {
                StartInfo = new ProcessStartInfo(program, arguments)
                {
                    WorkingDirectory = Folder,
                    UseShellExecute = false,
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                },
            };
            _process.OutputDataReceived += (_, line) => _lines.Enqueue(line.Data ?? "");
            _process.ErrorDataReceived += (_, line) => _lines.Enqueue(line.Data ?? "");
            _process.Start();
            _process.BeginOutputReadLine();
            _process.BeginErrorReadLine();
        }

        public IReadOnlyList<string> Lines => [.. _lines.Where(line => line.Length > 0)];

        public Task SawAsync(string line) => Eventually.True(() =>
        {
            Assert.True(Lines.Contains(line) || !_process.HasExited, $"The client ended without: {line}");
            return Lines.Contains(line);
        }, TimeSpan.FromSeconds(60), line);

        /// <summary>What it printed, but for what comes whenever it comes: streams and calls that failed.</summary>
        public async Task<string> EndAsync()
        {
            await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
            return string.Join('\n', Lines.Where(line => line.Split(' ')[0] is not ("watch" or "call")));
        }

        public void Dispose()
        {
            if (!_process.HasExited)
            {
                _process.Kill();
            }

            _output.WriteLine(string.Join('\n', Lines));
            _process.Dispose();
        }
    }
}

/// <summary>A fact that needs both clients; skipped, with the reason, where one cannot be had.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class FactIfGrpcClientsAttribute : FactAttribute
{
    public const string Node = "node";

    // Debian's own, which has Debian's package; another Python before it in the path has not.
    public const string Python = "/usr/bin/python3";

    public FactIfGrpcClientsAttribute() =>
        Skip = Directory.Exists("/usr/lib/python3/dist-packages/grpc") && File.Exists(Python)
            ? NodePackages.Obstacle(GrpcClientsTests.Folder)!
            : "Interop is untested here, gRPC for Python is not installed (Debian: apt-get install python3-grpcio)";
}
