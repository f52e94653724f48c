using System.Runtime.InteropServices;

namespace Ha.Tests.OnTheWire;

/// <summary>How a relay ends a connection before its time.</summary>
internal enum Cut
{
    None,

    /// <summary>Both sides see an orderly end of the stream.</summary>
    Finish,

    /// <summary>Both sides see a reset.</summary>
    Reset,
}

/// <summary>What a relay does with the next bytes of one direction.</summary>
/// <param name="Take">How many of those at hand make the next piece; at least one, unless it cuts.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FlowStep(int Take)
{
    /// <summary>How long the piece stays here before it goes on.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>True: nothing follows before the receiver has read the piece.</summary>
    public bool UntilRead { get; init; }

    /// <summary>What becomes of the connection after the piece.</summary>
    public Cut Cut { get; init; }
}

/// <summary>Decides how the bytes of one direction of a connection travel.</summary>
internal interface IFlow
{
    /// <param name="available">Bytes at hand; at least one.</param>
    FlowStep Next(int available);
}

/// <summary>
/// Lets everything pass but for one event, which a test arms at an offset from the next byte on. Of several connections
/// through one relay the first that gets there meets it.
/// </summary>
internal sealed class ArmedFlow : IFlow
{
    private readonly Lock _lock = new();
    private long _passed;
    private long _left = -1;
    private Cut _cut;

    /// <summary>Bytes that went through so far.</summary>
    public long Passed
    {
        get
        {
            lock (_lock)
            {
                return _passed;
            }
        }
    }

    /// <summary>True until the event has come.</summary>
    public bool IsArmed
    {
        get
        {
            lock (_lock)
            {
                return _left >= 0;
            }
        }
    }

    /// <summary>A pause after so many bytes, until the receiver has read them.</summary>
    public void SplitAfter(long bytes) => CutAfter(bytes, Cut.None);

    public void CutAfter(long bytes, Cut cut)
    {
        lock (_lock)
        {
            (_left, _cut) = (bytes, cut);
        }
    }

    public FlowStep Next(int available)
    {
        lock (_lock)
        {
            var take = _left < 0 ? available : (int)Math.Min(available, _left);
            _passed += take;
            if (_left < 0)
            {
                return new FlowStep(take);
            }

            _left -= take;
            if (_left > 0)
            {
                return new FlowStep(take);
            }

            _left = -1;
            return new FlowStep(take) { UntilRead = _cut == Cut.None, Cut = _cut };
        }
    }
}

/// <summary>Pieces of random sizes, now and then one that waits until the one before was read. Nothing is lost.</summary>
internal sealed class PiecesFlow(int seed) : IFlow
{
    private const int Largest = 64 * 1024;
    private readonly Random _random = new(seed);

    public FlowStep Next(int available)
    {
        // As many small pieces as large ones: a header's middle is hit as often as a body's.
        var size = (int)Math.Exp(_random.NextDouble() * Math.Log(Largest));
        return new FlowStep(Math.Clamp(size, 1, available)) { UntilRead = _random.Next(16) == 0 };
    }
}

/// <summary>
/// A rough network: pieces of all sizes, a short delay now and then, seldom a long one, and a cut after anything between a
/// few bytes and many megabytes, so that no connection lives for ever.
/// </summary>
internal sealed class RoughFlow : IFlow
{
    private const double LargestPiece = 256 * 1024, LeastLife = 1024, LongestLife = 64 * 1024 * 1024;
    private readonly Random _random;
    private long _life;

    public RoughFlow(int seed)
    {
        _random = new Random(seed);
        _life = (long)Between(LeastLife, LongestLife);
    }

    public FlowStep Next(int available)
    {
        var take = (int)Math.Min(Math.Clamp((long)Between(1, LargestPiece), 1, available), _life);
        _life -= take;
        var delay = _random.Next(2000) switch { 0 => _random.Next(100, 400), < 20 => _random.Next(1, 20), _ => 0 };
        return new FlowStep(take)
        {
            Delay = TimeSpan.FromMilliseconds(delay),
            Cut = _life > 0 ? Cut.None : _random.Next(2) == 0 ? Cut.Finish : Cut.Reset,
        };
    }

    // Each order of magnitude as often as any other.
    private double Between(double least, double most) => least * Math.Exp(_random.NextDouble() * Math.Log(most / least));
}

/// <summary>Lets everything pass.</summary>
internal sealed class OpenFlow : IFlow
{
    public static readonly OpenFlow Instance = new();

    public FlowStep Next(int available) => new(available);
}
