namespace Ha.Election;

/// <summary>Says in words why two config digests differ, as far as the facts show it.</summary>
internal static class ConfigDifference
{
    public static string Explain(ElectionConfig own, NodeFacts other)
    {
        if (own.Majority != other.Majority)
        {
            return $"quorum is {Mode(other.Majority)} there and {Mode(own.Majority)} here";
        }

        if (own.LeaseMicros != other.LeaseMicros)
        {
            return $"lease timeout is {other.LeaseMicros / 1000} ms there and {own.LeaseMicros / 1000} ms here";
        }

        return own.CandidacyMicros != other.CandidacyMicros
            ? $"heartbeat interval is {other.CandidacyMicros / 1000} ms there and {own.CandidacyMicros / 1000} ms here"
            : "the member lists differ";
    }

    private static string Mode(bool majority) => majority ? "majority" : "off";
}
