using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Ha.Cli.Processes;

namespace Ha.Tests.Support;

/// <summary>
/// A real Redis of the machine's own package, on loopback, in a directory that goes away with it. Where none is installed it stays
/// off and the tests that need it are skipped (<see cref="FactIfRedisAttribute"/>).
/// </summary>
public class RedisServer : IAsyncLifetime
{
    private readonly string _directory = Path.Combine(Path.GetTempPath(), $"ha-redis-{Guid.NewGuid():N}");
    private readonly string[] _arguments;
    private ChildProcess? _server;

    public RedisServer()
        : this([])
    {
    }

    /// <param name="arguments">Of <c>redis-server</c>, beside where it listens and that it keeps nothing.</param>
    internal RedisServer(params string[] arguments) => _arguments = arguments;

    public int Port { get; } = FreePorts.Find(1)[0];

    public string Address => $"127.0.0.1:{Port}";

    internal static string? Program { get; } = Array.Find(["/usr/bin/redis-server", "/usr/local/bin/redis-server"], File.Exists);

    public async Task InitializeAsync()
    {
        if (Program is not null)
        {
            Directory.CreateDirectory(_directory);
            var server = new ChildProcess(
            [
                Program, "--port", $"{Port}", "--bind", "127.0.0.1", "--dir", _directory, "--save", "", "--enable-debug-command", "yes",
                "--repl-diskless-sync-delay", "0", .. _arguments,
            ]);
            _server = server;
            await StartAgainAsync();
        }
    }

    public async Task StartAgainAsync()
    {
        _server!.Start();
        await Eventually.True(AnswersAsync, what: "Redis answers");
    }

    public async Task KillAsync()
    {
        _server!.Kill();
        await _server.WhenDead;
    }

    public void Pause() => _server!.Pause();

    public void Resume() => _server!.Resume();

    /// <summary>Runs one command over a connection of its own.</summary>
    /// <returns>The answer, or the first part of it.</returns>
    /// <exception cref="InvalidOperationException">The answer is an error.</exception>
    public async Task<string> RunAsync(params string[] command) => (await RunLinesAsync(command)).FirstOrDefault("");

    /// <summary>As <see cref="RunAsync"/>: all lines of all strings of the answer.</summary>
    public async Task<IReadOnlyList<string>> RunLinesAsync(params string[] command)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", Port);
        var stream = client.GetStream();
        var request = string.Concat(command.Select(part => $"${Encoding.UTF8.GetByteCount(part)}\r\n{part}\r\n"));
        await stream.WriteAsync(Encoding.UTF8.GetBytes($"*{command.Length}\r\n{request}"));
        using var reader = new StreamReader(stream);
        var lines = new List<string>();
        await ReadAsync(reader, lines);
        return lines;
    }

    public async Task DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        if (Directory.Exists(_directory))
        {
            Directory.Delete(_directory, recursive: true);
        }
    }

    private static async Task ReadAsync(StreamReader reader, List<string> lines)
    {
        var line = await reader.ReadLineAsync() ?? throw new IOException("Redis closed the connection.");
        var count = line[0] is '$' or '*' ? int.Parse(line[1..], CultureInfo.InvariantCulture) : 0;
        switch (line[0])
        {
            case '-':
                throw new InvalidOperationException(line[1..]);
            case '*':
                for (var i = 0; i < count; i++)
                {
                    await ReadAsync(reader, lines);
                }

                break;
            case '$' when count < 0:
                lines.Add("");
                break;
            case '$':
                var text = new char[count + 2];
                await reader.ReadBlockAsync(text);
                lines.AddRange(new string(text).Split('\n', StringSplitOptions.TrimEntries));
                break;
            default:
                lines.Add(line[1..]);
                break;
        }
    }

    private async Task<bool> AnswersAsync()
    {
        Assert.False(_server!.State == ProcessState.Dead, $"Redis did not start:\n{string.Join('\n', _server.Output)}");
        try
        {
            // Also an error is an answer, but for one that asks for patience.
            await RunAsync("PING");
            return true;
        }
        catch (InvalidOperationException e)
        {
            return !e.Message.StartsWith("LOADING", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return false;
        }
    }
}

/// <summary>A fact about Redis; skipped, in plain words, where no server is installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactIfRedisAttribute : FactAttribute
{
    public FactIfRedisAttribute() => Skip = Obstacle;

    internal static string? Obstacle => RedisServer.Program is null ? "Redis is not installed (Debian: apt-get install redis-server)" : null;
}

/// <summary>As <see cref="FactIfRedisAttribute"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class TheoryIfRedisAttribute : TheoryAttribute
{
    public TheoryIfRedisAttribute() => Skip = FactIfRedisAttribute.Obstacle;
}
