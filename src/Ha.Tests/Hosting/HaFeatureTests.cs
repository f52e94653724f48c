using System.Net;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;

namespace Ha.Tests.Hosting;

/// <summary>When a handler finds <see cref="IHaFeature"/>: the table in docs/applications.md, row by row.</summary>
public sealed class HaFeatureTests
{
    private static readonly Case[] _cases =
    [
        new("a write on the leader", "there") { Path = "/write" },
        new("a write on the leader without `UseHa()`", "there") { Path = "/write", CallsUseHa = false },
        new("a GET with `RequireLeader` on the leader", "there") { Path = "/required", Method = HttpMethod.Get },
        new("a write with a static leader, on that node", "there, epoch 0") { Path = "/write", Variables = TestApp.FixedLeader },
        new("any other GET", "null") { Path = "/read", Method = HttpMethod.Get },
        new("an endpoint that says `AllowOnAnyNode`", "null") { Path = "/any" },
        new("a middleware before `UseHa()`", "null") { Path = "/before" },
        new("a branch (`Map`, `UseWhen`) before `UseHa()`", "null") { Path = "/branch" },
        new("an endpoint with `ShortCircuit()`", "null") { Path = "/short", Method = HttpMethod.Get },
        new("an error page that runs after a write", "there") { Path = "/fails" },
        new("no `BASE_*` variable set: HA is off", "null") { Path = "/write", Variables = TestApp.Inactive },
    ];

    public static TheoryData<string> Cases => [.. _cases.Select(one => one.What)];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task It_is_there_where_the_page_says(string what)
    {
        var one = _cases.Single(one => one.What == what);
        await using var app = TestApp.Create(one.Variables);
        Configure(app, one.CallsUseHa);
        await app.StartAsync();
        await Eventually.True(async () => await AskAsync(app, one) is not HttpStatusCode.ServiceUnavailable);
        var (_, said) = await AnswerAsync(app, one);

        Assert.Equal(one.Feature, said);
    }

    [Fact]
    public void The_documented_cases_are_the_tried_ones()
    {
        var rows = _cases.Select(one => $"| {one.What} | {one.Feature} |");
        Assert.Contains(string.Join('\n', rows), Repository.Read("docs/applications.md"), StringComparison.Ordinal);
    }

    private static void Configure(WebApplication app, bool callsUseHa)
    {
        app.UseExceptionHandler("/error");
        app.Use((context, next) => context.Request.Path == "/before" ? TellAsync(context) : next(context));
        app.Map("/branch", branch => branch.Run(TellAsync));
        app.UseRouting();
        if (callsUseHa)
        {
            app.UseHa();
            app.MapGet("/required", TellAsync).RequireLeader();
            app.MapPost("/any", TellAsync).AllowOnAnyNode();
        }

        app.MapPost("/write", TellAsync);
        app.MapGet("/read", TellAsync);
        app.MapGet("/short", TellAsync).ShortCircuit();
        app.MapPost("/fails", string () => throw new InvalidOperationException("failed on purpose"));
        app.Map("/error", TellAsync);
    }

    private static Task TellAsync(HttpContext context) => context.Response.WriteAsync(context.Features.Get<IHaFeature>() switch
    {
        null => "null",
        { Epoch: 0 } => "there, epoch 0",
        _ => "there",
    });

    private static async Task<HttpStatusCode> AskAsync(WebApplication app, Case one) => (await AnswerAsync(app, one)).Status;

    private static async Task<(HttpStatusCode Status, string Text)> AnswerAsync(WebApplication app, Case one)
    {
        using var client = app.GetTestClient();
        using var request = new HttpRequestMessage(one.Method, new Uri(one.Path, UriKind.Relative));
        using var answer = await client.SendAsync(request);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    private sealed record Case(string What, string Feature)
    {
        public required string Path { get; init; }

        public HttpMethod Method { get; init; } = HttpMethod.Post;

        public bool CallsUseHa { get; init; } = true;

        public (string Key, string? Value)[] Variables { get; init; } = [("BASE_LOCAL_TARGET", "http://a:1"), ("BASE_NODE_ID", "n1")];
    }
}
