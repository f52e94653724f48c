using Ha.Tests.Processes;
using Xunit.Abstractions;

namespace Ha.Tests.Balancers;

/// <summary>All three before the same nodes. Disposing stops them and, for a failed test's reader, prints what they said.</summary>
internal sealed class AllBalancers : IAsyncDisposable
{
    private readonly Balancer[] _balancers;
    private readonly ITestOutputHelper _output;

    private AllBalancers(Balancer[] balancers, ITestOutputHelper output)
    {
        _balancers = balancers;
        _output = output;
    }

    public Door[] Doors => [.. _balancers.Select(balancer => balancer.Door)];

    public static async Task<AllBalancers> StartAsync(IReadOnlyCollection<Door> nodes, ITestOutputHelper output)
    {
        var all = new AllBalancers([.. Balancer.Names.Select(name => Balancer.Start(name, nodes))], output);
        try
        {
            await Task.WhenAll(all._balancers.Select(balancer => balancer.ServesAsync()));
            return all;
        }
        catch
        {
            await all.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var balancer in _balancers)
        {
            await balancer.DisposeAsync();
            _output.WriteLine($"--- {balancer.Door.Id}\n{balancer.Output}");
        }
    }
}

/// <summary>A fact that needs all three balancers; skipped, in plain words, where one is missing.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class FactIfBalancersAttribute : FactAttribute
{
    public FactIfBalancersAttribute() => Skip = Balancer.Names.Where(name => Balancer.Find(name) is null).ToArray() is { Length: > 0 } missing
        ? $"Not installed: {string.Join(", ", missing)} (Debian: apt-get install haproxy nginx-light caddy)"
        : null;
}
