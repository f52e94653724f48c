using System.Diagnostics.CodeAnalysis;

namespace Ha.Chaos.Nodes;

/// <summary>Takes connections until there are none, and those that others give back, until disposed.</summary>
internal sealed class Occupation : IAsyncDisposable
{
    private const int Most = 500;
    private static readonly TimeSpan _askAgain = TimeSpan.FromMilliseconds(10);
    private readonly List<IAsyncDisposable> _held = [];
    private readonly CancellationTokenSource _end = new();
    private readonly Func<CancellationToken, Task<IAsyncDisposable>> _connect;
    private readonly Task _taking;

    public Occupation(Func<CancellationToken, Task<IAsyncDisposable>> connect)
    {
        _connect = connect;
        _taking = TakeAsync();
    }

    /// <summary>How many it holds.</summary>
    public int Count { get; private set; }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _taking;
        foreach (var connection in _held)
        {
            await connection.DisposeAsync();
        }

        _end.Dispose();
    }

    [SuppressMessage("Design", "CA1031", Justification = "A refusal, in whatever words, is what this works towards.")]
    private async Task TakeAsync()
    {
        await Task.Yield();
        while (!_end.IsCancellationRequested && _held.Count < Most)
        {
            try
            {
                _held.Add(await _connect(_end.Token));
                Count = _held.Count;
            }
            catch (Exception)
            {
                await Task.Delay(_askAgain, TimeProvider.System, CancellationToken.None);
            }
        }
    }
}
