using System.Runtime.InteropServices;

namespace Ha.Cli.Processes;

/// <summary>Ctrl-C, SIGTERM, a closed terminal, or a <c>dotnet run</c> that was killed: all say stop, and leave us time to do it.</summary>
internal sealed class StopSignals : IDisposable
{
    private static readonly TimeSpan _lookEvery = TimeSpan.FromMilliseconds(500);

    private readonly CancellationTokenSource _stop = new();
    private readonly PosixSignalRegistration[] _signals;
    private readonly ITimer? _parent;

    public StopSignals(TimeProvider clock)
    {
        _signals = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT }
            .Select(signal => PosixSignalRegistration.Create(signal, Stop))];
        var parent = Posix.ParentPid;
        if (IsDotnet(parent))
        {
            _parent = clock.CreateTimer(_ => StopWhenGone(parent), null, _lookEvery, _lookEvery);
        }
    }

    public CancellationToken Token => _stop.Token;

    public void Dispose()
    {
        Array.ForEach(_signals, s => s.Dispose());
        _parent?.Dispose();
        _stop.Dispose();
    }

    private void Stop(PosixSignalContext context)
    {
        context.Cancel = true;
        _stop.Cancel();
    }

    private void StopWhenGone(int parent)
    {
        if (Posix.ParentPid != parent)
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
