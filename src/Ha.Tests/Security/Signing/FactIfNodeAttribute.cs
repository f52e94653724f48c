using Ha.Tests.Support;

namespace Ha.Tests.Security.Signing;

/// <summary>A fact that needs Node.js and the packages of the interop folder; skipped, with the reason, where they cannot be had.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactIfNodeAttribute : FactAttribute
{
    public FactIfNodeAttribute() => Skip = NodePackages.Obstacle(Folder)!;

    internal static string Folder { get; } = Path.Combine(Repository.Root, "src", "Ha.Tests", "Security", "Signing", "interop");
}
