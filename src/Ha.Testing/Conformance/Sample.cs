namespace Ha.Testing.Conformance;

/// <summary>Records and members as checks write them.</summary>
internal static class Sample
{
    public static string Incarnation() => Guid.NewGuid().ToString("N");

    public static LeaseMember Member(string nodeId, string? incarnation = null, bool eligible = true) => new()
    {
        NodeId = nodeId,
        Incarnation = incarnation ?? Incarnation(),
        Url = $"http://{nodeId}.example:8080",
        Target = $"http://{nodeId}.internal:8080",
        Eligible = eligible,
    };

    public static LeaseRecord HeldBy(LeaseMember member, long epoch) => new()
    {
        HolderId = member.NodeId,
        Incarnation = member.Incarnation,
        Epoch = epoch,
        Duration = TimeSpan.FromMilliseconds(1500),
        Url = member.Url,
        Target = member.Target,
    };

    /// <summary>As <see cref="ILeaseStore.TryWriteAsync"/>, by whoever the record names.</summary>
    public static Task<LeaseAnswer> WriteAsync(this ILeaseStore client, LeaseRecord record, string? expected) =>
        client.TryWriteAsync(record, expected, Member(record.HolderId ?? "nobody", record.Incarnation), CancellationToken.None);

    /// <summary>Writes the record where there is none.</summary>
    public static async Task<string> ClaimAsync(this ILeaseStore client, LeaseRecord record) =>
        Expect.Written(await client.WriteAsync(record, expected: null), record, "the first claim");

    /// <summary>Writes the record over one version.</summary>
    public static async Task<string> ReplaceAsync(this ILeaseStore client, LeaseRecord record, string expected) =>
        Expect.Written(await client.WriteAsync(record, expected), record, "a write against the current version");
}
