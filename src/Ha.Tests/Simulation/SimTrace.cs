using System.Globalization;
using System.Text;

namespace Ha.Tests.Simulation;

/// <summary>
/// The run told as a story: time, node, event, why. Off by default, because building the text costs more than the run;
/// the fingerprint is always kept and proves that a replay is the same run.
/// </summary>
internal sealed class SimTrace(bool on)
{
    private readonly StringBuilder _text = new();

    public bool On { get; } = on;

    /// <summary>A hash over (time, event, node) of everything that happened.</summary>
    public ulong Fingerprint { get; private set; } = 14695981039346656037;

    public string Text => _text.ToString();

    public void Mix(long time, int kind, int node)
    {
        ulong hash = Fingerprint ^ (ulong)time;
        hash = (hash * 1099511628211) ^ (uint)((kind << 8) + node);
        Fingerprint = hash * 1099511628211;
    }

    public void Line(long time, string who, string what)
    {
        if (!On)
            return;

        _text.Append(CultureInfo.InvariantCulture, $"{time / 1_000_000,4}.{time % 1_000_000:D6}  {who,-8}  {what}\n");
    }

    /// <summary>Epochs are about the wall clock in microseconds; a story wants the distance to its start.</summary>
    public static string Epoch(long epoch) => epoch switch
    {
        0 => "e0",
        > NodeClock.WallEpoch / 2 => string.Create(
            CultureInfo.InvariantCulture, $"e{(epoch - NodeClock.WallEpoch) / 1_000_000.0:+0.000000;-0.000000}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"e#{epoch}"),
    };

    public static string Millis(long micros) =>
        string.Create(CultureInfo.InvariantCulture, $"{micros / 1000.0:0.###} ms");
}
