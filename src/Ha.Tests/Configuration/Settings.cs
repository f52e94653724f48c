using Ha.Configuration;
using Ha.Tests.Support;
using Microsoft.Extensions.Configuration;

namespace Ha.Tests.Configuration;

/// <summary>Options as a set of variables makes them.</summary>
internal static class Settings
{
    public const string Secret = "0123456789abcdef0123456789abcdef";

    public static HaOptions Read(params (string Key, string? Value)[] variables)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(variables.Select(v => KeyValuePair.Create(v.Key, v.Value)))
            .Build();
        var options = new HaOptions { NodeId = "n1" };
        new ConfigureHaOptions(configuration).Configure(options);
        return options;
    }

    public static HaSettings Parse(params (string Key, string? Value)[] variables) => HaSettings.Parse(Read(variables));

    public static IReadOnlyList<string> Problems(params (string Key, string? Value)[] variables) =>
        TestSettings.Problems(Read(variables), TimeSpan.FromSeconds(30));

    /// <summary>The one problem of a sound three-node cluster in which these variables were changed.</summary>
    public static string ProblemOfCluster(params (string Key, string? Value)[] changes) =>
        Assert.Single(Problems(Cluster(changes)));

    public static (string Key, string? Value)[] Cluster(params (string Key, string? Value)[] changes)
    {
        var variables = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["BASE_LOCAL_TARGET"] = "http://a:1",
            ["BASE_PEERS"] = "http://a:1,http://b:1,http://c:1",
            ["BASE_CLUSTER_SECRET"] = Secret,
        };
        foreach (var (key, value) in changes)
        {
            variables[key] = value;
        }

        return variables.Select(v => (v.Key, v.Value)).ToArray();
    }
}
