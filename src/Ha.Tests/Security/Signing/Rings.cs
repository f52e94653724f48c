using Ha.Configuration;
using Ha.Security;

namespace Ha.Tests.Security.Signing;

internal static class Rings
{
    public const string OldSecret = "an old secret of the cluster";
    public const string NewSecret = "the new secret of the cluster";

    public static readonly KeyRing Old = Of(OldSecret);

    public static readonly KeyRing New = Of(NewSecret);

    public static readonly KeyRing Unsigned = new([], unsigned: true);

    public static KeyRing Of(params string[] secrets)
    {
        var options = new HaOptions();
        foreach (var secret in secrets)
        {
            options.ClusterSecrets.Add(secret);
        }

        return Of(options);
    }

    /// <summary>The ring of a node with these options.</summary>
    public static KeyRing Of(HaOptions options)
    {
        options.LocalTarget ??= "http://n1.example";
        return HaSettings.Parse(options).Keys.AtStart;
    }
}
