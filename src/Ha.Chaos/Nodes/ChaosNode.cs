using Ha.Chaos.Network;
using Ha.Cli.Cluster;
using Ha.Cli.Processes;

namespace Ha.Chaos.Nodes;

/// <summary>One node: a process of the example in its own namespace, with its own settings and log file.</summary>
internal sealed class ChaosNode : IAsyncDisposable
{
    private static readonly TimeSpan _supervisorPause = TimeSpan.FromMilliseconds(500);

    private readonly Dictionary<string, string?> _settings;
    private readonly StreamWriter _log;
    private bool _endsOnPurpose;
    private bool _databaseIsAway;

    /// <param name="id">The node id.</param>
    /// <param name="address">Its address inside the namespace.</param>
    /// <param name="settings">Environment variables; faults may change them between starts.</param>
    /// <param name="log">The file that gets what it writes.</param>
    /// <param name="onDied">Called with the exit code when the process ended and nobody had ended it.</param>
    public ChaosNode(string id, string address, Dictionary<string, string?> settings, string log, Action<ChaosNode, int> onDied)
    {
        (Id, Address, Url, _settings) = (id, address, UrlOf(address), settings);
        Firewall = new Firewall(Namespaces.NameOf(id));
        _log = new StreamWriter(log) { AutoFlush = true };
        var example = App.Assembly(typeof(MinimalApiApp.Program).Assembly.Location);
        Process = new NodeProcess(id, Url, example with { Command = ["ip", "netns", "exec", Firewall.Namespace, .. example.Command] }, _settings)
        {
            OnLine = line =>
            {
                Log(line);
                _databaseIsAway |= line.Contains("The PostgreSQL database in ConnectionStrings__Notes cannot be used", StringComparison.Ordinal);
            },
            OnExited = code =>
            {
                Log($"== ended with {code}");
                if (_databaseIsAway && !_endsOnPurpose)
                {
                    _ = StartAgainAsync();
                }
                else if (!_endsOnPurpose)
                {
                    onDied(this, code);
                }
            },
        };
    }

    public string Id { get; }

    public string Address { get; }

    public string Url { get; }

    public Firewall Firewall { get; }

    public NodeProcess Process { get; }

    public static string UrlOf(string address) => $"http://{address}:8080";

    /// <summary>It is no surprise if the process ends by itself, until its next start.</summary>
    public bool MayEnd { set => _endsOnPurpose = value; }

    /// <param name="mayEnd">See <see cref="MayEnd"/>.</param>
    public void Start(bool mayEnd = false)
    {
        if (Process.State == ProcessState.Dead)
        {
            _endsOnPurpose = mayEnd;
            _databaseIsAway = false;
            Log("== start");
            Process.Start();
        }
    }

    public async Task KillAsync()
    {
        Log("== kill");
        _endsOnPurpose = true;
        Process.Kill();
        await Process.WhenDead;
    }

    /// <summary>SIGTERM, and SIGKILL to what is still there after <paramref name="patience"/>.</summary>
    public async Task TerminateAsync(TimeSpan patience)
    {
        Log("== terminate");
        _endsOnPurpose = true;
        await Process.StopAsync(patience);
    }

    /// <summary>From its next start on, until the result is disposed: these settings, null for none.</summary>
    public IDisposable With(params (string Key, string? Value)[] changes)
    {
        var before = Array.ConvertAll(changes, c => (c.Key, Value: _settings.GetValueOrDefault(c.Key)));
        Array.ForEach(changes, c => _settings[c.Key] = c.Value);
        return new Undo(() => Array.ForEach(before, b => _settings[b.Key] = b.Value));
    }

    /// <summary>Gives the process's startup hook an order.</summary>
    public void Press(string order)
    {
        Log($"== {order}");
        var file = _settings[StartupHook.Variable]!;
        File.WriteAllText(file + ".new", order);
        File.Move(file + ".new", file, overwrite: true);
    }

    public async ValueTask DisposeAsync()
    {
        _endsOnPurpose = true;
        await Process.StopAsync(TimeSpan.FromSeconds(3));
        await _log.DisposeAsync();
    }

    /// <summary>The example does not start without its database, and says so; a supervisor tries again.</summary>
    private async Task StartAgainAsync()
    {
        await Process.WhenDead;
        await Task.Delay(_supervisorPause);
        if (!_endsOnPurpose)
        {
            Start();
        }
    }

    private void Log(string line)
    {
        lock (_log)
        {
            if (_log.BaseStream.CanWrite)
            {
                _log.WriteLine($"{TimeProvider.System.GetUtcNow():HH:mm:ss.fff} {line}");
            }
        }
    }

    private sealed class Undo(Action undo) : IDisposable
    {
        public void Dispose() => undo();
    }
}
