using Ha.Configuration;
using Ha.Security;

namespace Ha.Tests.Support;

/// <summary>Settings of one active node, made as the product makes them.</summary>
internal static class TestSettings
{
    /// <param name="configure">Changes the options of a node that is alone.</param>
    /// <exception cref="InvalidHaOptionsException">They are wrong.</exception>
    public static HaSettings From(Action<HaOptions>? configure = null)
    {
        var options = new HaOptions { NodeId = "n1", LocalTarget = "http://n1.example" };
        configure?.Invoke(options);
        return HaSettings.Parse(options);
    }

    public static IReadOnlyList<string> Problems(HaOptions options, TimeSpan? shutdownTimeout = null, Func<string, SecretText>? read = null)
    {
        try
        {
            HaSettings.Parse(options, shutdownTimeout, read);
            return [];
        }
        catch (InvalidHaOptionsException error)
        {
            return [.. error.Failures];
        }
    }
}
