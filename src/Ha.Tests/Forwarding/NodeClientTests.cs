using System.Diagnostics;
using System.Text.Json.Nodes;
using Ha.Tests.Security.Signing;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Ha.Tests.Forwarding;

/// <summary>A client that is not ours: Node.js, over HTTP/2 and HTTP/1.1, through a follower in proxy mode.</summary>
public sealed class NodeClientTests
{
    [FactIfNode]
    public async Task Writes_of_nodejs_pass_with_streams_trailers_consent_and_aborts()
    {
        var clientGone = new TaskCompletionSource();
        void App(WebApplication app)
        {
            app.MapPost("/echo", context => EchoAsync(context, clientGone));
            app.MapPost("/abort", async context =>
            {
                await context.Response.WriteAsync("half");
                await context.Response.Body.FlushAsync();

                // The client ends once it has read that: a reset overtakes what was sent before it.
                await context.Request.Body.CopyToAsync(Stream.Null);
                context.Abort();
            });
        }

        var http2 = new TestNodeSetup { Protocols = HttpProtocols.Http2 };
        await using var leader2 = await TestNode.LeaderAsync(App, http2);
        await using var follower2 = await TestNode.ProxyAsync(leader2.Url, http2);
        await using var leader1 = await TestNode.LeaderAsync(App);
        await using var follower1 = await TestNode.ProxyAsync(leader1.Url);

        var said = await RunAsync(follower2.Url, follower1.Url);

        var streams = said["streams"]["many"]!.AsArray();
        Assert.Equal(20, streams.Count);
        Assert.All(streams.Index(), stream =>
        {
            Assert.Equal($"{stream.Index}a{stream.Index}b{stream.Index}c", stream.Item!["body"]!.GetValue<string>());
            Assert.Equal("all", stream.Item["trailers"]!["x-after"]!.GetValue<string>());
        });
        await clientGone.Task.WaitAsync(TimeSpan.FromSeconds(20));

        // A reset overtakes what was sent before it, on either of the two connections.
        Assert.StartsWith(said["leader aborts"]["body"]!.GetValue<string>(), "half", StringComparison.Ordinal);
        Assert.NotNull(said["leader aborts"]["error"]);
        Assert.True(said["expect"]["continued"]!.GetValue<bool>());
        Assert.Equal("one,two", said["expect"]["body"]!.GetValue<string>());
    }

    private static async Task EchoAsync(HttpContext context, TaskCompletionSource clientGone)
    {
        var buffer = new byte[100];
        try
        {
            for (int read; (read = await context.Request.Body.ReadAsync(buffer)) > 0;)
            {
                await context.Response.Body.WriteAsync(buffer.AsMemory(0, read));
                await context.Response.Body.FlushAsync();
            }
        }
        catch (Exception failure) when (failure is IOException or OperationCanceledException)
        {
            clientGone.TrySetResult();
            return;
        }

        if (context.Response.SupportsTrailers())
        {
            context.Response.AppendTrailer("x-after", "all");
        }
    }

    private static async Task<Dictionary<string, JsonNode>> RunAsync(string http2Url, string http1Url)
    {
        var script = Path.Combine(Repository.Root, "src", "Ha.Tests", "Forwarding", "node-client.js");
        using var node = Process.Start(new ProcessStartInfo("node", [script, http2Url, http1Url])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        try
        {
            var errors = node.StandardError.ReadToEndAsync();
            var output = await node.StandardOutput.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(30));
            Assert.Equal("", await errors);
            return output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)
                .ToDictionary(said => said["name"]!.GetValue<string>(), StringComparer.Ordinal);
        }
        finally
        {
            node.Kill();
        }
    }
}
