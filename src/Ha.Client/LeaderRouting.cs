namespace Ha.Client;

/// <summary>What one request may ask of the routing, through <see cref="HttpRequestMessage.Options"/>.</summary>
public static class LeaderRouting
{
    /// <summary>
    /// True: to the leader, whatever the method (a GET under <c>RequireLeader</c>). False: to any node (a POST that only
    /// reads, under <c>AllowOnAnyNode</c>). What may be repeated is decided by the method all the same.
    /// </summary>
    public static readonly HttpRequestOptionsKey<bool> ToLeader = new("Ha.Client.ToLeader");
}
