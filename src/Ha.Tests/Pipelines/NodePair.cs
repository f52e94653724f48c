using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Pipelines;

/// <summary>Two nodes and what talks to them, used by one case after the other.</summary>
internal sealed class NodePair : IAsyncDisposable
{
    private NodePair(PipelineNode first, PipelineNode second)
    {
        Nodes = [first, second];
        Cluster = new Cluster(Nodes);
        using var scope = first.Services.CreateScope();
        var tokens = first.Services.GetRequiredService<IAntiforgery>().GetAndStoreTokens(new DefaultHttpContext { RequestServices = scope.ServiceProvider });
        var cookie = first.Services.GetRequiredService<Microsoft.Extensions.Options.IOptions<AntiforgeryOptions>>().Value.Cookie.Name;
        Antiforgery = new Antiforgery($"{cookie}={tokens.CookieToken}", tokens.FormFieldName, tokens.RequestToken!);
    }

    public PipelineNode[] Nodes { get; }

    public Cluster Cluster { get; }

    public Http2Client Http2 { get; } = new();

    public Antiforgery Antiforgery { get; }

    /// <summary>The seeds of the cases it has served.</summary>
    public List<int> Served { get; } = [];

    public static async Task<NodePair> StartAsync() => new(await PipelineNode.StartAsync(0), await PipelineNode.StartAsync(1));

    public async ValueTask DisposeAsync()
    {
        Http2.Dispose();
        foreach (var node in Nodes)
        {
            await node.DisposeAsync();
        }

        Cluster.Dispose();
    }
}
