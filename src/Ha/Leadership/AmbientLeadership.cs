namespace Ha.Leadership;

/// <summary>The leadership that the running code was admitted under; flows with <c>async</c> calls and started tasks.</summary>
internal static class AmbientLeadership
{
    private static readonly AsyncLocal<IHaFeature?> _current = new();

    public static IHaFeature? Current
    {
        get => _current.Value;
        set => _current.Value = value;
    }
}
