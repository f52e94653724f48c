using System.Diagnostics;

namespace Ha.Tests.Support;

/// <summary>
/// Somebody else's program in the background. The shell around it holds our pipe: when this process ends, in whatever
/// way, the program is told to stop.
/// </summary>
internal sealed class TiedProgram : IAsyncDisposable
{
    private const int KeptLines = 200;
    private readonly Process _shell;
    private readonly Queue<string> _output = new();

    private TiedProgram(Process shell) => _shell = shell;

    public bool HasExited => _shell.HasExited;

    /// <summary>The last lines it wrote, both streams.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return string.Join('\n', _output);
            }
        }
    }

    /// <param name="stopSignal">What tells it to stop at once, <c>TERM</c> for example.</param>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="environment">Variables over those of this process.</param>
    public static TiedProgram Start(string stopSignal, string[] command, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c",
            $"exec 3<&0; \"$@\" </dev/null 3<&- & program=$!; (cat <&3; kill -{stopSignal} $program) >/dev/null 2>&1 & wait $program", "sh", .. command])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        foreach (var (key, value) in environment ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            start.Environment[key] = value;
        }

        var program = new TiedProgram(new Process { StartInfo = start });
        program._shell.OutputDataReceived += (_, line) => program.Keep(line.Data);
        program._shell.ErrorDataReceived += (_, line) => program.Keep(line.Data);
        program._shell.Start();
        program._shell.BeginOutputReadLine();
        program._shell.BeginErrorReadLine();
        return program;
    }

    public async ValueTask DisposeAsync()
    {
        _shell.StandardInput.Close();
        await _shell.WaitForExitAsync();
        _shell.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_output)
        {
            _output.Enqueue(line);
            while (_output.Count > KeptLines)
            {
                _output.Dequeue();
            }
        }
    }
}
