using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Headers;
using Ha.Tests.Endpoints;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using TestNode = Ha.Tests.Forwarding.TestNode;
using TestNodeSetup = Ha.Tests.Forwarding.TestNodeSetup;

namespace Ha.Tests.ForeignClients;

/// <summary>
/// What clients that are not ours do with a redirect to the leader, and with a connection that closes under their write.
/// The table in docs/clients.md says the same, cell by cell.
/// </summary>
[Trait("Category", "Long")]
public sealed class ForeignClientTests
{
    private const string Body = "a write";

    [Fact]
    public Task DotNet() => TryAsync("`HttpClient` of .NET", write => PostAsync(write, static () => null));

    [Fact]
    public async Task An_empty_content_keeps_the_one_of_DotNet_from_sending_again() =>
        Assert.Equal("no", await AgainAsync(write => PostAsync(write, static () => new StringContent("")), body: "", key: ""));

    [FactIfProgram("curl", "curl", "--version")]
    public Task Curl() => TryAsync("`curl -L`", write => RunAsync("curl", [
        "-sS", "-L", "-H", "Authorization: Bearer t", "-H", "Content-Type: text/plain",
        .. write.Key.Length == 0 ? [] : new[] { "-H", $"Idempotency-Key: {write.Key}" },
        .. write.Body.Length == 0 ? new[] { "-X", "POST" } : ["--data-binary", write.Body],
        .. Enumerable.Repeat(write.Url, write.Times)]));

    [FactIfProgram("python3-requests", "python3", "-c", "import requests")]
    public Task Requests() => TryAsync("`requests` of Python", write => RunAsync("python3", [Program("requests-client.py"), .. write.Arguments]));

    [FactIfProgram("nodejs", "node", "-e", "fetch")]
    public Task NodeFetch() => TryAsync("`fetch` of Node.js", write => RunAsync("node", [Program("fetch-client.js"), .. write.Arguments]));

    [FactIfProgram("openjdk-17-jdk-headless", "javac", "-version")]
    public Task Java() => TryAsync("`HttpClient` of Java", write => RunAsync("java", [Program("JavaClient.java"), .. write.Arguments]));

    [FactIfProgram("golang-go", "go", "version")]
    public async Task Go()
    {
        var folder = Directory.CreateTempSubdirectory("ha-go-");
        try
        {
            var client = Path.Combine(folder.FullName, "client");
            await RunAsync("go", ["build", "-o", client, Program("go-client.go")]);
            await TryAsync("`http.Client` of Go", write => RunAsync(client, write.Arguments));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [FactIfChromium]
    public async Task Browser()
    {
        await using var page = await TestNode.LeaderAsync(app => app.MapGet("/", () => Results.Content("<title>page</title>", "text/html")));
        await using var browser = await Chromium.StartAsync();
        await browser.OpenAsync(page.Url);
        await browser.HtmlWhenAsync(html => html.Contains("<title>page</title>", StringComparison.Ordinal));
        await TryAsync("`fetch` of Chromium", async write =>
        {
            var key = write.Key.Length == 0 ? "" : $", 'Idempotency-Key': '{write.Key}'";
            var body = write.Body.Length == 0 ? "" : $", body: '{write.Body}'";
            for (var time = 0; time < write.Times; time++)
            {
                await browser.EvaluateAsync(
                    $$"""
                    fetch('{{write.Url}}', { method: 'POST', headers: { 'Authorization': 'Bearer t', 'Content-Type': 'text/plain'{{key}} }{{body}} })
                      .then(a => a.text(), e => e.name)
                    """);
            }
        });
    }

    private static string Program(string file) => Path.Combine(Repository.Root, "src", "Ha.Tests", "ForeignClients", "programs", file);

    private static async Task TryAsync(string name, Func<Write, Task> post)
    {
        var port = await RedirectedAsync(post, "127.0.0.1");
        Assert.Equal(port, await RedirectedAsync(post, "localhost"));
        var row = string.Join(" | ", [
            name,
            port.Follows,
            port.Authorization,
            await AgainAsync(post, Body, key: ""),
            await AgainAsync(post, body: "", key: ""),
            await AgainAsync(post, Body, key: "k"),
        ]);

        var documented = Repository.Read("docs/clients.md").Split('\n').SingleOrDefault(
            line => line.StartsWith($"| {name} |", StringComparison.Ordinal));

        // Said in whole: a cell that differs is at the far end of the row.
        Assert.True($"| {row} |" == documented, $"Tried      | {row} |\nDocumented {documented}");
    }

    /// <summary>One write to a follower whose leader is at another port of 127.0.0.1, under this name.</summary>
    private static async Task<Redirected> RedirectedAsync(Func<Write, Task> post, string leaderHost)
    {
        var arrived = new ConcurrentQueue<Arrival>();
        var cors = new TestNodeSetup { Builder = builder => builder.Services.AddCors() };
        await using var leader = await TestNode.LeaderAsync(app =>
        {
            AllowEveryOrigin(app);
            app.MapPost("/x", async (HttpRequest request) =>
            {
                using var reader = new StreamReader(request.Body);
                arrived.Enqueue(new Arrival(await reader.ReadToEndAsync(), request.Headers.Authorization, request.Headers["Idempotency-Key"]));
            });
        }, cors);
        await using var follower = await TestNode.StartAsync(cors with { AfterRouting = true, Before = AllowEveryOrigin });
        follower.Leadership.Follow(leader.Url.Replace("127.0.0.1", leaderHost, StringComparison.Ordinal));

        await post(new Write(follower.Url + "/x", Body, Key: "k", Times: 1));

        return arrived.SingleOrDefault() is { } arrival
            ? new Redirected(arrival.Body == Body && arrival.Key == "k" ? "yes, whole" : "yes, changed", arrival.Authorization is "Bearer t" ? "yes" : "no")
            : new Redirected("no", "–");
    }

    private static async Task<string> AgainAsync(Func<Write, Task> post, string body, string key)
    {
        const int Sent = 4;
        await using var server = new BreakingServer();

        await post(new Write(server.Url + "/x", body, key, Sent));

        Assert.True(server.HasBroken, $"No connection was used twice for {server.Posts} writes.");
        return server.Posts == Sent ? "no" : "**yes**";
    }

    // Browsers ask; nobody else minds.
    private static void AllowEveryOrigin(WebApplication app) => app.UseCors(policy => policy.AllowAnyOrigin().AllowAnyHeader());

    private static async Task PostAsync(Write write, Func<HttpContent?> empty)
    {
        using var client = new HttpClient();
        for (var time = 0; time < write.Times; time++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, write.Url)
            {
                Headers = { Authorization = new AuthenticationHeaderValue("Bearer", "t") },
                Content = write.Body.Length == 0 ? empty() : new StringContent(write.Body),
            };
            if (write.Key.Length > 0)
            {
                request.Headers.Add("Idempotency-Key", write.Key);
            }

            try
            {
                using var answer = await client.SendAsync(request);
            }
            catch (HttpRequestException)
            {
                // What the server has seen is what counts.
            }
        }
    }

    private static async Task RunAsync(string program, string[] arguments)
    {
        using var process = Process.Start(FactIfProgramAttribute.Quietly(program, arguments))!;
        var errors = process.StandardError.ReadToEndAsync();
        await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1));
        await errors;
    }

    /// <summary>What a client is to send: the same POST so many times over, one connection if it keeps any.</summary>
    private sealed record Write(string Url, string Body, string Key, int Times)
    {
        public string[] Arguments => [Url, Body, Key, $"{Times}"];
    }

    private sealed record Redirected(string Follows, string Authorization);

    private sealed record Arrival(string Body, string? Authorization, string? Key);
}
