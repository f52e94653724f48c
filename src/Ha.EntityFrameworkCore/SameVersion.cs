using System.Reflection;

namespace Ha;

/// <summary>
/// This package uses what is internal to Ha. Where an application names another version of Ha, a restore only warns, and what that one
/// lacks would be missed at its first call: after a commit, say, which a client would then repeat.
/// </summary>
internal static class SameVersion
{
    private static readonly string? _problem = Problem(
        typeof(SameVersion).Assembly.GetName().Name!, VersionOf(typeof(SameVersion)), VersionOf(typeof(ILeaderProvider)));

    /// <summary>For what an application calls first.</summary>
    /// <exception cref="InvalidOperationException">Ha has another version than this package.</exception>
    public static void Check()
    {
        if (_problem is not null)
        {
            throw new InvalidOperationException(_problem);
        }
    }

    internal static string? Problem(string package, string version, string ha) => string.Equals(version, ha, StringComparison.Ordinal)
        ? null
        : $"{package} {version} goes with Ha {version} only, and this application has Ha {ha}. Reference both in one version.";

    /// <summary>As of the package, without the commit that stands behind it.</summary>
    private static string VersionOf(Type type) =>
        type.Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];
}
