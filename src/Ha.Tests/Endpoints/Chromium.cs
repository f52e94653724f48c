using System.Diagnostics;
using System.Globalization;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ha.Tests.Endpoints;

/// <summary>Runs a test where a Chromium is installed and says so where none is.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class FactIfChromiumAttribute : FactAttribute
{
    public FactIfChromiumAttribute()
    {
        if (Chromium.Path is null)
        {
            Skip = "Chromium is not installed (looked for chromium, chromium-browser and google-chrome in /usr/bin).";
        }
    }
}

/// <summary>
/// One headless browser with one page, driven by the DevTools protocol: the command line alone cannot switch
/// JavaScript off, because its own commands are written in it.
/// </summary>
internal sealed class Chromium : IAsyncDisposable
{
    // Only a page that is broken takes so long.
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan _pollEvery = TimeSpan.FromMilliseconds(25);
    private static readonly string[] _switches =
    [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
    ];

    private readonly Process _process;
    private readonly string _profile;
    private readonly ClientWebSocket _socket = new();
    private readonly CancellationTokenSource _deadline = new(2 * _patience);
    private readonly TimeProvider _clock = TimeProvider.System;
    private int _lastId;

    private Chromium(Process process, string profile)
    {
        _process = process;
        _profile = profile;
    }

    public static string? Path { get; } =
        new[] { "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome" }.FirstOrDefault(File.Exists);

    public static async Task<Chromium> StartAsync()
    {
        var profile = Directory.CreateTempSubdirectory("ha-chromium-").FullName;
        var start = new ProcessStartInfo(Path!, [.. _switches, $"--user-data-dir={profile}", "about:blank"])
        {
            UseShellExecute = false,
            RedirectStandardError = true,
        };
        var browser = new Chromium(Process.Start(start)!, profile);
        try
        {
            await browser.ConnectAsync();
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    public Task DisableScriptsAsync() =>
        SendAsync("Emulation.setScriptExecutionDisabled", new JsonObject { ["value"] = true });

    public Task OpenAsync(string url) => SendAsync("Page.navigate", new JsonObject { ["url"] = url });

    /// <summary>The markup as it stands; empty when the page was just being replaced.</summary>
    public async Task<string> HtmlAsync()
    {
        var document = await SendAsync("DOM.getDocument", []);
        var root = document["root"]!["nodeId"]!.GetValue<int>();
        var answer = await TrySendAsync("DOM.getOuterHTML", new JsonObject { ["nodeId"] = root });
        return answer["result"]?["outerHTML"]!.GetValue<string>() ?? "";
    }

    /// <summary>Reads the page's markup until it satisfies <paramref name="condition"/>.</summary>
    public async Task<string> HtmlWhenAsync(Func<string, bool> condition)
    {
        var from = _clock.GetTimestamp();
        while (true)
        {
            var html = await HtmlAsync();
            if (condition(html))
            {
                return html;
            }

            if (_clock.GetElapsedTime(from) > _patience)
            {
                throw new TimeoutException($"The page never became as expected. Last seen:\n{html}");
            }

            await Task.Delay(_pollEvery);
        }
    }

    /// <summary>The value of a JavaScript expression in the page, as text; what is promised is waited for.</summary>
    public async Task<string> EvaluateAsync(string expression)
    {
        var answer = await SendAsync("Runtime.evaluate", new JsonObject
        {
            ["expression"] = $"(async () => String(await ({expression})))()",
            ["awaitPromise"] = true,
        });
        return answer["result"]!["value"]!.GetValue<string>();
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        _deadline.Dispose();
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        try
        {
            Directory.Delete(_profile, recursive: true);
        }
        catch (IOException)
        {
            // A child of the browser may still be writing; the directory is a temporary one.
        }
    }

    private async Task ConnectAsync()
    {
        var port = await PortAsync();
        using var http = new HttpClient();
        var targets = await http.GetStringAsync(
            string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/json/list"), _deadline.Token);
        var page = JsonNode.Parse(targets)!.AsArray().First(target => string.Equals(target!["type"]!.GetValue<string>(), "page", StringComparison.Ordinal));
        await _socket.ConnectAsync(new Uri(page!["webSocketDebuggerUrl"]!.GetValue<string>()), _deadline.Token);
    }

    /// <summary>The browser prints where it listens: <c>DevTools listening on ws://127.0.0.1:PORT/…</c>.</summary>
    private async Task<int> PortAsync()
    {
        while (await _process.StandardError.ReadLineAsync(_deadline.Token) is { } line)
        {
            if (line.StartsWith("DevTools listening on ", StringComparison.Ordinal))
            {
                // Nobody may stop reading, or the browser blocks once the pipe is full.
                _ = _process.StandardError.ReadToEndAsync();
                return new Uri(line["DevTools listening on ".Length..]).Port;
            }
        }

        throw new InvalidOperationException("Chromium ended before it listened.");
    }

    private async Task<JsonNode> SendAsync(string method, JsonObject parameters)
    {
        var answer = await TrySendAsync(method, parameters);
        return answer["result"] ?? throw new InvalidOperationException($"{method}: {answer["error"]}");
    }

    private async Task<JsonNode> TrySendAsync(string method, JsonObject parameters)
    {
        var id = ++_lastId;
        var command = new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters };
        await _socket.SendAsync(
            JsonSerializer.SerializeToUtf8Bytes(command), WebSocketMessageType.Text, endOfMessage: true, _deadline.Token);
        while (true)
        {
            var message = await ReceiveAsync();
            if (message["id"]?.GetValue<int>() == id)
            {
                return message;
            }
        }
    }

    private async Task<JsonNode> ReceiveAsync()
    {
        using var whole = new MemoryStream();
        var buffer = new byte[64 * 1024];
        WebSocketReceiveResult part;
        do
        {
            part = await _socket.ReceiveAsync(new ArraySegment<byte>(buffer), _deadline.Token);
            whole.Write(buffer, 0, part.Count);
        }
        while (!part.EndOfMessage);

        return JsonNode.Parse(whole.ToArray())!;
    }
}
