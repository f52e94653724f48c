namespace Ha.Tests.Simulation;

/// <summary>
/// The one source of chance in a run (xoshiro256**, seeded by splitmix64). Written out here so that a seed means the
/// same run on every machine and every runtime version.
/// </summary>
internal sealed class SimRandom
{
    private ulong _a;
    private ulong _b;
    private ulong _c;
    private ulong _d;

    public SimRandom(ulong seed)
    {
        _a = SplitMix(ref seed);
        _b = SplitMix(ref seed);
        _c = SplitMix(ref seed);
        _d = SplitMix(ref seed);
    }

    /// <summary>Uniform in [low, high], both included.</summary>
    public long Between(long low, long high) =>
        high <= low ? low : low + (long)(Next() % ((ulong)(high - low) + 1));

    public int Index(int count) => (int)(Next() % (ulong)count);

    public bool Chance(int permille) => permille > 0 && (int)(Next() % 1000) < permille;

    public T Pick<T>(params ReadOnlySpan<T> choices) => choices[Index(choices.Length)];

    /// <summary>Exponentially distributed with this mean, cut off at 8 means.</summary>
    public long Exponential(long mean)
    {
        double unit = ((Next() >> 11) + 1) * (1.0 / (1UL << 53));
        return Math.Min((long)(-Math.Log(unit) * mean), 8 * mean);
    }

    public Guid NextGuid()
    {
        ulong high = Next();
        ulong low = Next();
        return new Guid((uint)(high >> 32), (ushort)(high >> 16), (ushort)high, (byte)(low >> 56), (byte)(low >> 48),
            (byte)(low >> 40), (byte)(low >> 32), (byte)(low >> 24), (byte)(low >> 16), (byte)(low >> 8), (byte)low);
    }

    private ulong Next()
    {
        ulong result = ulong.RotateLeft(_b * 5, 7) * 9;
        ulong shifted = _b << 17;
        _c ^= _a;
        _d ^= _b;
        _b ^= _c;
        _a ^= _d;
        _c ^= shifted;
        _d = ulong.RotateLeft(_d, 45);
        return result;
    }

    private static ulong SplitMix(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
