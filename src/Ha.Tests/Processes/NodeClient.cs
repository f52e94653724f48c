using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Ha.Tests.Support;

namespace Ha.Tests.Processes;

/// <summary>
/// The client of <c>src/clients/js</c> in a process of Node.js, <c>test/rolls.js</c>: a line in for each write, a line out for
/// what came of it, and at the end of its input one for all the rest.
/// </summary>
internal sealed class NodeClient : IRolledClient
{
    private const int Report = -1;
    private static readonly string _folder = Path.Combine(Repository.Root, "src", "clients", "js");
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonElement>> _open = new();
    private readonly TaskCompletionSource<JsonElement> _report = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _input = new();
    private readonly Process _process;
    private readonly Task _listening;
    private int _lastId;

    private NodeClient(Process process)
    {
        _process = process;
        _open[Report] = _report;
        _listening = ListenAsync();
    }

    public IReadOnlyCollection<string> FailedReads => Texts("failedReads");

    public IReadOnlyDictionary<string, int> ReadsByNode =>
        _report.Task.Result.GetProperty("reads").EnumerateObject().ToDictionary(node => node.Name, node => node.Value.GetInt32(), StringComparer.Ordinal);

    public int RequestsWithToken => _report.Task.Result.GetProperty("withToken").GetInt32();

    public IReadOnlyCollection<string> Leaks => Texts("leaks");

    /// <summary>Builds the package, so that what runs is what is there, and starts the process.</summary>
    public static async Task<NodeClient> StartAsync(ExampleCluster cluster)
    {
        if (NodePackages.Obstacle(_folder) is { } obstacle)
        {
            throw new InvalidOperationException(obstacle);
        }

        using (var build = Start("npm", ["run", "--silent", "build"], redirect: false))
        {
            await build.WaitForExitAsync();
            if (build.ExitCode != 0)
            {
                throw new InvalidOperationException("The client for JavaScript does not compile.");
            }
        }

        return new NodeClient(Start("node", ["test/rolls.js", .. cluster.Nodes.Select(node => node.Url)], redirect: true));
    }

    public async Task<NodeAnswer> AddAsync(string text)
    {
        var id = Interlocked.Increment(ref _lastId);
        var came = new TaskCompletionSource<JsonElement>(TaskCreationOptions.RunContinuationsAsynchronously);
        _open[id] = came;
        lock (_input)
        {
            _process.StandardInput.WriteLine(JsonSerializer.Serialize(new { id, text }));
        }

        var answer = await came.Task;
        if (answer.TryGetProperty("error", out var error))
        {
            throw new HttpRequestException(error.GetString());
        }

        using var message = new HttpResponseMessage();
        message.Headers.TryAddWithoutValidation("X-Base-Node", answer.GetProperty("node").GetString());
        return new NodeAnswer(answer.GetProperty("status").GetInt32(), answer.GetProperty("body").GetString()!, message.Headers, message.Content.Headers);
    }

    public async Task StopAsync()
    {
        _process.StandardInput.Close();
        await _report.Task.WaitAsync(_patience);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        await _process.WaitForExitAsync();
        await _listening;
        _process.Dispose();
    }

    private static Process Start(string program, string[] arguments, bool redirect) => Process.Start(new ProcessStartInfo(program, arguments)
    {
        WorkingDirectory = _folder,
        UseShellExecute = false,
        RedirectStandardInput = redirect,
        RedirectStandardOutput = redirect,
        StandardInputEncoding = redirect ? new UTF8Encoding(encoderShouldEmitUTF8Identifier: false) : null,
        StandardOutputEncoding = redirect ? Encoding.UTF8 : null,
    })!;

    private async Task ListenAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            var answer = JsonSerializer.Deserialize<JsonElement>(line);
            if (_open.TryRemove(answer.GetProperty("id").GetInt32(), out var waiting))
            {
                waiting.SetResult(answer);
            }
        }

        foreach (var waiting in _open.Values)
        {
            waiting.TrySetException(new InvalidOperationException("The client's process ended."));
        }
    }

    private string[] Texts(string name) => [.. _report.Task.Result.GetProperty(name).EnumerateArray().Select(text => text.GetString()!)];
}
