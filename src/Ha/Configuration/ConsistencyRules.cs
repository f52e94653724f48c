using Ha.Security;

namespace Ha.Configuration;

/// <summary>Positions go through the hands of clients, so they need a signature, also where no heartbeat does.</summary>
internal static class ConsistencyRules
{
    public static void Check(HaOptions options, FileBacked<KeyRing>? keys, List<string> problems)
    {
        if (options.Consistency is not null && keys?.AtStart is { Unsigned: false, Signer: null })
        {
            problems.Add(
                $"{nameof(HaOptions)}.{nameof(HaOptions.Consistency)} is set, but this node has no key to sign positions with; " +
                $"set {HaKeys.ClusterSecret} to one value on every node, {KeyRules.HowToMakeASecret} " +
                $"(for a trial without signatures: {HaKeys.Insecure}=true).");
        }
    }
}
