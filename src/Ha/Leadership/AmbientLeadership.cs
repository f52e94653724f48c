namespace Ha.Leadership;

/// <summary>The leadership that the running code was admitted under; flows with <c>async</c> calls and started tasks.</summary>
internal static class AmbientLeadership
{
    private static readonly AsyncLocal<AdmittedScope?> _scope = new();

    public static IHaFeature? Current => _scope.Value?.Leadership;

    public static AdmittedScope? Scope
    {
        get => _scope.Value;
        set => _scope.Value = value;
    }
}
