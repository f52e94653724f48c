using System.Runtime.InteropServices;

namespace Ha.Cli.Processes;

/// <summary>
/// Ctrl-C, SIGTERM, a closed terminal, a <c>dotnet run</c> that was killed, or a reader that has had enough: all say stop, and leave us
/// time to do it.
/// </summary>
internal sealed class StopSignals : IDisposable
{
    private static readonly TimeSpan _lookEvery = TimeSpan.FromMilliseconds(500);

    private readonly CancellationTokenSource _stop = new();
    private readonly PosixSignalRegistration[] _signals;
    private readonly ITimer? _watch;

    /// <param name="clock">For what no signal tells.</param>
    /// <param name="withReader">
    /// Also when nobody can read what this process prints any more. .NET ignores SIGPIPE, and its console swallows what the system says
    /// of a write, so whoever prints seldom would never know.
    /// </param>
    public StopSignals(TimeProvider clock, bool withReader = false)
    {
        _signals = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT }
            .Select(signal => PosixSignalRegistration.Create(signal, Stop))];
        var parent = Posix.ParentPid;
        var withParent = IsDotnet(parent);
        if (withParent || withReader)
        {
            _watch = clock.CreateTimer(
                _ => StopIf((withParent && Posix.ParentPid != parent) || (withReader && Posix.IsOutputClosed)),
                null,
                _lookEvery,
                _lookEvery);
        }
    }

    public CancellationToken Token => _stop.Token;

    public void Dispose()
    {
        Array.ForEach(_signals, s => s.Dispose());
        _watch?.Dispose();
        _stop.Dispose();
    }

    private void Stop(PosixSignalContext context)
    {
        context.Cancel = true;
        _stop.Cancel();
    }

    private void StopIf(bool over)
    {
        if (over)
        {
            _stop.Cancel();
        }
    }

    // Only dotnet run is waited for: a shell that ends may well mean to leave us running.
    private static bool IsDotnet(int pid)
    {
        var name = $"/proc/{pid}/comm";
        return File.Exists(name) && File.ReadAllText(name).Trim() is "dotnet";
    }
}
