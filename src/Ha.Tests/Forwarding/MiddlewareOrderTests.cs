using System.Collections.Concurrent;
using System.IO.Compression;
using System.Net;
using System.Text.RegularExpressions;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Forwarding;

/// <summary>
/// docs/middleware.md says on which side of <c>UseHa()</c> thirty-odd common middlewares belong. Here each stands on both
/// sides of it, on a follower in front of a leader that has the same pipeline.
/// </summary>
public sealed partial class MiddlewareOrderTests
{
    public static TheoryData<string> Trials => [.. MiddlewareTrials.All.Select(trial => trial.ToString())];

    [Theory]
    [MemberData(nameof(Trials))]
    public async Task A_middleware_before_the_forwarding_does_what_is_written(string name)
    {
        var trial = Find(name);

        Same(trial.Before, await TryAsync(trial, before: true));
    }

    [Theory]
    [MemberData(nameof(Trials))]
    public async Task A_middleware_after_the_forwarding_does_what_is_written(string name)
    {
        var trial = Find(name);

        Same(trial.After, await TryAsync(trial, before: false));
    }

    [Fact]
    public void The_documented_places_are_the_tried_ones()
    {
        var documented = Row().Matches(Repository.Read("docs/middleware.md").ReplaceLineEndings("\n"))
            .Select(row => $"{row.Groups["name"].Value.Replace("`", "", StringComparison.Ordinal)}: {row.Groups["place"].Value}")
            .ToList();
        var tried = MiddlewareTrials.All.Select(trial => $"{trial.Name}: {trial.Place}").Distinct(StringComparer.Ordinal).ToList();

        Assert.True(tried.Count >= 30);
        Assert.Equal(string.Join('\n', tried), string.Join('\n', documented));
    }

    // Said in whole: where it differs matters less than all that happened.
    private static void Same(string expected, string actual) =>
        Assert.True(string.Equals(expected, actual, StringComparison.Ordinal), $"Expected {expected}\nbut was  {actual}");

    private static MiddlewareTrial Find(string name) =>
        MiddlewareTrials.All.Single(trial => string.Equals(trial.ToString(), name, StringComparison.Ordinal));

    private static async Task<string> TryAsync(MiddlewareTrial trial, bool before)
    {
        var seen = new ConcurrentQueue<string>();
        using var authority = new TestAuthority();
        using var certificate = authority.Issue("localhost").Load();
        await using var leader = await TestNode.StartAsync(Setup(trial, new TrialNode("leader", seen), before) with { Id = "leader" });
        leader.Leadership.Lead();
        var setup = Setup(trial, new TrialNode("follower", seen), before);
        await using var follower = await TestNode.ProxyAsync(
            leader.Url, trial.FollowerHasTls ? setup with { Certificate = certificate } : setup);
        if (trial.Leaderless)
        {
            follower.Leadership.LoseLeader();
        }

        using var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false };
        handler.SslOptions.CertificateChainPolicy = TestAuthority.Policy(authority.Root);
        using var client = new HttpClient(handler);
        client.BaseAddress = new Uri(follower.Url.Replace("https://127.0.0.1", "https://localhost", StringComparison.Ordinal));
        var answer = "";
        for (var time = 0; time < trial.Times; time++)
        {
            answer = await AskAsync(client, trial);
        }

        var log = follower.Logs.Entries.Any(entry => entry.Id == 1207) ? " | logged" : "";
        return $"{answer.Replace(leader.Url, "<leader>", StringComparison.Ordinal)} | {string.Join(", ", seen)}{log}";
    }

    private static TestNodeSetup Setup(MiddlewareTrial trial, TrialNode node, bool before) => new()
    {
        AfterRouting = before || !trial.IsRouting,
        Options = options =>
        {
            options.ForwardMode = trial.Mode;
            options.WriteHold = trial.WriteHold;
        },
        Builder = builder =>
        {
            builder.Services.Insert(0, ServiceDescriptor.Singleton<IStartupFilter>(node.Arrivals()));
            builder.Services.AddSingleton(node);
            trial.Services(builder.Services);
        },
        Before = app =>
        {
            if (before && trial.NeedsEndpoint)
            {
                app.UseRouting();
            }

            if (before)
            {
                trial.Use(app, node);
            }
        },
        App = app =>
        {
            if (!before)
            {
                trial.Use(app, node);
            }

            trial.Endpoints(app, node);
        },
    };

    /// <returns>The status, the headers that matter, and the body or, of an error of ours, what it says.</returns>
    private static async Task<string> AskAsync(HttpClient client, MiddlewareTrial trial)
    {
        using var request = await trial.Request(client);
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var words = new List<string> { $"{(int)answer.StatusCode}" };
        words.AddRange(trial.Headers
            .Select(name => (Name: name, Value: answer.Header(name) ?? answer.Content.Headers.NonValidated.FirstOrDefault(
                header => string.Equals(header.Key, name, StringComparison.OrdinalIgnoreCase)).Value.ToString()))
            .Where(header => !string.IsNullOrEmpty(header.Value))
            .Select(header => $"{header.Name}: {header.Value}"));
        if (string.Equals(answer.Header("X-Base-Not-Executed"), "1", StringComparison.Ordinal))
        {
            words.Add("(marked)");
        }

        if (string.Equals(answer.Content.Headers.ContentType?.MediaType, "application/problem+json", StringComparison.Ordinal))
        {
            words.Add(await answer.ErrorAsync() ?? "");
        }
        else if (answer.StatusCode != HttpStatusCode.SwitchingProtocols)
        {
            words.Add(await TextAsync(answer.Content));
        }

        return string.Join(' ', words).Trim();
    }

    private static async Task<string> TextAsync(HttpContent content)
    {
        var body = await content.ReadAsStreamAsync();
        using var reader = new StreamReader(
            content.Headers.ContentEncoding.Contains("gzip") ? new GZipStream(body, CompressionMode.Decompress) : body);
        var text = await reader.ReadToEndAsync();
        var line = text.Split('\r', '\n')[0];
        return text.Length > 200 ? $"{line[..Math.Min(line.Length, 40)]}... ({line.Length})" : text;
    }

    [GeneratedRegex(
        @"^\| (?<name>[^|]+?) \| \*\*(?<place>before|after|either)\*\* \|",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Row();
}
