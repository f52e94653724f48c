using System.Globalization;
using Ha.Cli.Processes;

namespace Ha.Benchmarks.Processes;

/// <summary>A program under measurement.</summary>
internal sealed class Server : IAsyncDisposable
{
    private const int TicksPerSecond = 100;

    private readonly ChildProcess _process;

    private Server(string name, ChildProcess process)
    {
        Name = name;
        _process = process;
    }

    public string Name { get; }

    public int Id => _process.Pid;

    public bool HasExited => _process.State == ProcessState.Dead;

    public string Output => string.Join('\n', _process.Output.TakeLast(20));

    /// <param name="name">For tables and errors.</param>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="environment">Added to this process's.</param>
    /// <param name="cpu">The core it is bound to; null: all.</param>
    public static Server Start(string name, IReadOnlyList<string> command, IReadOnlyDictionary<string, string>? environment = null, int? cpu = null)
    {
        // A process bound to one core would size its pools, its collector and its tiering for a machine of one.
        var variables = new Dictionary<string, string?> { ["DOTNET_PROCESSOR_COUNT"] = Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture) };
        foreach (var (key, value) in environment ?? new Dictionary<string, string>())
        {
            variables[key] = value;
        }

        string[] line = cpu is null ? [.. command] : ["taskset", "-c", cpu.Value.ToString(CultureInfo.InvariantCulture), .. command];
        var process = new ChildProcess(line) { Environment = variables };
        process.Start();
        return new Server(name, process);
    }

    /// <summary>This program again, in another role.</summary>
    /// <param name="name">For tables and errors.</param>
    /// <param name="arguments">The command of the role.</param>
    /// <param name="environment">Added to this process's.</param>
    /// <param name="cpu">The core it is bound to; null: all.</param>
    /// <param name="program">The same program as another revision built it; null: this build.</param>
    public static Server StartSelf(string name, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null, int? cpu = null, string? program = null) =>
        Start(name, ["dotnet", program ?? typeof(Server).Assembly.Location, .. arguments], environment, cpu);

    /// <summary>Waits until it answers anything at all.</summary>
    public async Task<Server> AnswersAsync(string url)
    {
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(1) };
        for (var tries = 0; tries < 300 && !HasExited; tries++)
        {
            try
            {
                using var answer = await client.GetAsync(new Uri(url));
                return this;
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                await Task.Delay(50);
            }
        }

        throw new InvalidOperationException($"{Name} does not answer at {url}:\n{Output}");
    }

    /// <summary>Waits until it has printed <paramref name="text"/>.</summary>
    public async Task PrintsAsync(string text)
    {
        for (var tries = 0; tries < 600 && !HasExited; tries++)
        {
            if (Output.Contains(text, StringComparison.Ordinal))
            {
                return;
            }

            await Task.Delay(20);
        }

        throw new InvalidOperationException($"{Name} did not print '{text}':\n{Output}");
    }

    /// <summary>Processor time of the process and its children so far.</summary>
    public TimeSpan CpuTime() => CpuTime(Id);

    /// <summary>At once, with all that it started.</summary>
    public void Kill() => _process.Kill();

    public void Terminate() => _process.Terminate();

    public Task WaitForExitAsync() => _process.WhenDead;

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private static TimeSpan CpuTime(int id)
    {
        var total = TimeSpan.Zero;
        foreach (var child in Children(id))
        {
            total += CpuTime(child);
        }

        var stat = File.ReadAllText($"/proc/{id}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        var ticks = long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
        return total + TimeSpan.FromSeconds((double)ticks / TicksPerSecond);
    }

    private static IEnumerable<int> Children(int id)
    {
        var path = $"/proc/{id}/task/{id}/children";
        return File.Exists(path)
            ? File.ReadAllText(path).Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)
            : [];
    }
}
