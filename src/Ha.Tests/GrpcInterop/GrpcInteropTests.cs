using Ha.Tests.Endpoints.GrpcHealth;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using TestNode = Ha.Tests.Forwarding.TestNode;

namespace Ha.Tests.GrpcInterop;

/// <summary>
/// gRPC's interoperability cases through a follower come out as at the leader: behind TLS, with hosts filtered, over one connection. The
/// table in docs/grpc.md says the same, cell by cell.
/// </summary>
public sealed class GrpcInteropTests
{
    [Fact]
    public async Task The_client_of_DotNet_passes_all_cases()
    {
        using var authority = new TestAuthority();
        using var certificate = authority.Issue("localhost", alias: EchoCluster.Name).Load();
        var setup = new TestNodeSetup
        {
            Certificate = certificate,
            Protocols = HttpProtocols.Http1AndHttp2,
            Options = options => options.CaFile = authority.File,
            Builder = InteropNode.Add,
        };
        await using var leader = await TestNode.LeaderAsync(InteropNode.Map, setup);
        await using var follower = await TestNode.ProxyAsync($"https://localhost:{leader.Port}", setup);
        using var direct = new DotNetClient(leader.Port, EchoCluster.Name, authority.Root);
        using var through = new DotNetClient(follower.Port, EchoCluster.Name, authority.Root);

        AssertPassed("Grpc.Net.Client", await direct.RunAsync(), await through.RunAsync());
    }

    [Fact]
    public void The_documented_cases_are_the_tried_ones() =>
        Assert.Equal(InteropCase.All.Select(one => one.Name), Table().Skip(1).Select(cells => cells[0].Trim('`')));

    internal static void AssertPassed(string client, string direct, string through)
    {
        Assert.Equal(InteropCase.AllPassed, direct);
        Assert.Equal(direct, through);
        var table = Table();
        var column = Array.IndexOf(table[0], client);
        Assert.All(table.Skip(1), cells => Assert.Equal("yes", cells[column]));
    }

    /// <summary>The table in docs/grpc.md, its head first.</summary>
    private static string[][] Table() =>
    [
        .. Repository.Read("docs/grpc.md").Split('\n')
            .SkipWhile(line => !line.StartsWith("| case |", StringComparison.Ordinal))
            .TakeWhile(line => line.StartsWith('|'))
            .Where(line => !line.StartsWith("|---", StringComparison.Ordinal))
            .Select(line => line.Trim('|').Split('|', StringSplitOptions.TrimEntries)),
    ];
}
