namespace MinimalApiApp.Notes;

/// <summary>Under which leadership a write runs. Without HA: this node, epoch 0, never lost.</summary>
internal sealed record WriteTicket(string Node, long Epoch, Func<bool> StillLeader, Func<Exception> FencedOut)
{
    public bool Lost => !StillLeader();

    public static WriteTicket For(HttpContext http) => new(http.RequestServices.GetRequiredService<IHostEnvironment>().ApplicationName,
        0, () => true, () => new NotLeaderException("A later epoch has written to this database."));

    /// <exception cref="NotLeaderException">The lease is gone, or too short to count on.</exception>
    public void EnsureStillLeader()
    {
        if (Lost)
        {
            throw FencedOut();
        }
    }
}
