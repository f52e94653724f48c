using System.Runtime.InteropServices;

namespace Ha.Consistency;

/// <summary>How far the application's data was after a write.</summary>
/// <param name="Epoch">Of the leader that admitted the write.</param>
/// <param name="Number">Of the application's data.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ReadPosition(long Epoch, long Number)
{
    /// <summary>A later leader's is later, whatever its number: data that was taken back in time counts anew.</summary>
    /// <returns>Below, at or above 0, as <see cref="Comparison{T}"/> has it.</returns>
    public static int Compare(ReadPosition a, ReadPosition b) =>
        a.Epoch != b.Epoch ? a.Epoch.CompareTo(b.Epoch) : a.Number.CompareTo(b.Number);

    /// <summary>What the application's data has said, if it can be a position.</summary>
    /// <exception cref="InvalidOperationException">It cannot.</exception>
    public static long Checked(long number) => number >= 0 ? number
        : throw new InvalidOperationException($"A position of the application's data was {number}, and none is below 0.");
}
