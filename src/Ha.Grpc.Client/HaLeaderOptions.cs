using System.Net;

namespace Ha.Grpc.Client;

/// <summary>
/// Settings of one channel, given to <c>AddHaLeader</c> or <c>UseHaLeader</c>, and of the repeats of its calls. Read when the channel is
/// created; not thread-safe while being set.
/// </summary>
public sealed class HaLeaderOptions
{
    private static readonly TimeSpan _second = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan _day = TimeSpan.FromDays(1);

    /// <value>
    /// The name whose health is watched on every node: the one that says <c>SERVING</c> gets the calls. Default <c>ha.Leader</c>; not
    /// empty, which would mean a node as a whole.
    /// </value>
    public string HealthService { get; set; } = "ha.Leader";

    /// <value>
    /// How long after its start a call without a deadline is still repeated; a call that has one is repeated until then. It ends no
    /// attempt that runs. Default 30 s, range 0 (no repeats without a deadline) to 1 day.
    /// </value>
    public TimeSpan RepeatWithin { get; set; } = TimeSpan.FromSeconds(30);

    /// <value>
    /// Full names (<c>/shop.v1.Orders/Find</c>) of methods that may run twice, as if each of their calls had a key. Default: none.
    /// </value>
    public ISet<string> IdempotentMethods { get; } = new HashSet<string>(StringComparer.Ordinal);

    /// <value>
    /// How many bytes of what a client writes to a stream are kept to be sent again. Beyond them the stream is not repeated. Default
    /// 65536, range 0 (streams of the client's are repeated only before their first message) to 64 MiB.
    /// </value>
    public int MaxKeptStreamBytes { get; set; } = 64 * 1024;

    /// <value>
    /// How often the names in the address are looked up again while all is well. While a node cannot be reached they are looked up at
    /// once and every 5 s. Default 30 s, range 1 s to 1 day.
    /// </value>
    public TimeSpan ResolveInterval { get; set; } = TimeSpan.FromSeconds(30);

    internal Func<string, CancellationToken, Task<IPAddress[]>> Lookup { get; set; } = Dns.GetHostAddressesAsync;

    internal TimeSpan ShortestResolveInterval { get; set; } = TimeSpan.FromSeconds(5);

    internal TimeProvider Clock { get; set; } = TimeProvider.System;

    internal Func<double> Jitter { get; set; } = Random.Shared.NextDouble;

    /// <returns>What is wrong and how to mend it; null when nothing is.</returns>
    internal string? Fault() =>
        string.IsNullOrWhiteSpace(HealthService)
            ? "HaLeaderOptions.HealthService is empty, which stands for a node as a whole, leader or not: use \"ha.Leader\"."
        : RepeatWithin < TimeSpan.Zero || RepeatWithin > _day
            ? $"HaLeaderOptions.RepeatWithin ({RepeatWithin}) must be between 0 and 1 day."
        : MaxKeptStreamBytes is < 0 or > 64 * 1024 * 1024
            ? $"HaLeaderOptions.MaxKeptStreamBytes ({MaxKeptStreamBytes}) must be between 0 and 67108864."
        : ResolveInterval < _second || ResolveInterval > _day
            ? $"HaLeaderOptions.ResolveInterval ({ResolveInterval}) must be between 1 second and 1 day."
        : IdempotentMethods.FirstOrDefault(static name => !IsFullName(name)) is { } name
            ? $"HaLeaderOptions.IdempotentMethods holds '{name}': write the full name, such as \"/shop.v1.Orders/Find\"."
        : null;

    private static bool IsFullName(string name) =>
        name.Split('/') is [{ Length: 0 }, { Length: > 0 }, { Length: > 0 }];
}
