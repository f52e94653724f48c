using System.Diagnostics;
using Ha.Cli.Cluster;
using Ha.Tests.Endpoints.GrpcHealth;
using Ha.Tests.ForeignClients;
using Ha.Tests.Processes;
using Ha.Tests.Support;
using Xunit.Abstractions;

namespace Ha.Tests.GrpcInterop;

/// <summary>The same cases from clients of other languages, to three processes.</summary>
[Trait("Category", "Long")]
[Collection(ProcessTests.Name)]
public sealed class ForeignGrpcClientTests(ITestOutputHelper output)
{
    private const string GoPackages = "/usr/share/gocode";

    private static readonly string _folder = Path.Combine(Repository.Root, "src", "Ha.Tests", "GrpcInterop", "clients");
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);

    [Fact]
    public Task The_client_of_DotNet_passes_them_on_processes() => TryAsync("Grpc.Net.Client", async (cluster, node) =>
    {
        using var client = new DotNetClient(new Uri(node.Url).Port, EchoCluster.Name, cluster.Certificate);
        return await client.RunAsync();
    });

    [FactIfProgram("python3-grpcio", FactIfGrpcClientsAttribute.Python, "-c", "import grpc")]
    public Task The_C_core_passes_them() => TryAsync(
        "C core (Python)", (cluster, node) => RunAsync(FactIfGrpcClientsAttribute.Python, [Program("client.py"), .. Arguments(cluster, node)]));

    [FactIfGrpcClients]
    public Task The_client_of_NodeJs_passes_them() => TryAsync(
        "grpc-js", (cluster, node) => RunAsync(FactIfGrpcClientsAttribute.Node, [Program("client.js"), .. Arguments(cluster, node)]));

    [FactIfProgram("golang-google-grpc-dev", "test", "-d", $"{GoPackages}/src/google.golang.org/grpc")]
    public async Task The_client_of_Go_passes_them()
    {
        var folder = Directory.CreateTempSubdirectory("ha-go-");
        try
        {
            var client = Path.Combine(folder.FullName, "client");
            await RunAsync("go", ["build", "-o", client, Program("client.go")]);
            await TryAsync("grpc-go", (cluster, node) => RunAsync(client, Arguments(cluster, node)));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string Program(string file) => Path.Combine(_folder, file);

    private static string[] Arguments(EchoCluster cluster, NodeProcess node) =>
        [new Uri(node.Url).Authority, EchoCluster.Name, cluster.CertificateFile];

    private async Task TryAsync(string client, Func<EchoCluster, NodeProcess, Task<string>> run)
    {
        await using var cluster = new EchoCluster(output, InteropNode.Verb, lease: "5s");
        var nodes = await cluster.StartAsync();
        GrpcInteropTests.AssertPassed(client, await run(cluster, nodes[0]), await run(cluster, nodes[1]));
    }

    private async Task<string> RunAsync(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["GO111MODULE"] = "off", ["GOPATH"] = GoPackages },
        };
        using var process = Process.Start(start)!;
        try
        {
            var errors = process.StandardError.ReadToEndAsync();
            var lines = await process.StandardOutput.ReadToEndAsync().WaitAsync(_patience);
            await process.WaitForExitAsync().WaitAsync(_patience);
            output.WriteLine($"{program}: {lines}\n{await errors}");
            return lines.TrimEnd();
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }
}
