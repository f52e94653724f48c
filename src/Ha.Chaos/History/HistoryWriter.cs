using System.Threading.Channels;

namespace Ha.Chaos.History;

/// <summary>Writes lines to a file in the order they were given, from any thread, without making the givers wait.</summary>
internal sealed class HistoryWriter : IAsyncDisposable
{
    private readonly Channel<HistoryLine> _lines = Channel.CreateUnbounded<HistoryLine>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TimeProvider _clock;
    private readonly long _began;
    private readonly Task _writing;

    public HistoryWriter(string path, TimeProvider clock)
    {
        Path = path;
        _clock = clock;
        _began = clock.GetTimestamp();
        _writing = WriteAsync();
    }

    public string Path { get; }

    /// <summary>Microseconds since the run began.</summary>
    public long Now => (long)_clock.GetElapsedTime(_began).TotalMicroseconds;

    public void Add(HistoryLine line) => _lines.Writer.TryWrite(line);

    /// <summary>Ends the file. Lines that come later are dropped.</summary>
    public async ValueTask DisposeAsync()
    {
        _lines.Writer.TryComplete();
        await _writing;
    }

    private async Task WriteAsync()
    {
        await using var file = new StreamWriter(Path);
        while (await _lines.Reader.WaitToReadAsync())
        {
            while (_lines.Reader.TryRead(out var line))
            {
                await file.WriteLineAsync(HistoryFile.Format(line));
            }

            await file.FlushAsync();
        }
    }
}
