using System.Globalization;
using Ha.Tests.Forwarding;
using Xunit.Abstractions;

namespace Ha.Tests.Security;

/// <summary>Without the key no sequence of requests changes who leads, where the members are or which epoch it is.</summary>
[Collection(SiegeTests.Name)]
public sealed class HostileClientTests(BesiegedCluster cluster, ITestOutputHelper output)
{
    private const int Seed = 5;
    private const int Attempts = 1_000;

    [Theory]
    [InlineData(Seed)]
    [InlineData(Seed + 1)]
    public async Task Nothing_that_an_outsider_sends_moves_anything(int seed)
    {
        var before = cluster.State;
        var outsider = new Outsider(seed, cluster);
        var attempts = Enumerable.Range(0, Attempts).Select(_ => outsider.Next()).ToArray();

        // Four at a time, each in its order and at all nodes in turn.
        var outcomes = await Task.WhenAll(attempts.Chunk(Attempts / 4).Select(TryAsync));

        var counts = outcomes.SelectMany(o => o).CountBy(o => o).OrderBy(o => o.Key, StringComparer.Ordinal).Select(o => $"{o.Key}: {o.Value}");
        output.WriteLine($"seed {seed}, {Attempts} attempts\n{string.Join('\n', counts)}");
        await cluster.AssertUnmovedAsync(before);
    }

    private async Task<List<string>> TryAsync(Attempt[] attempts)
    {
        var outcomes = new List<string>();
        for (var i = 0; i < attempts.Length; i++)
        {
            var node = cluster.Nodes[i % cluster.Nodes.Count];
            outcomes.Add($"{attempts[i].Kind} {await TryAsync(new Uri(node.Url).Port, attempts[i])}");
        }

        return outcomes;
    }

    private async Task<string> TryAsync(int port, Attempt attempt)
    {
        var answer = await RawConnection.AskAsync(port, attempt.Text);
        if (!answer.StartsWith("HTTP/1.1 ", StringComparison.Ordinal))
        {
            return "closed";
        }

        var status = int.Parse(answer.AsSpan(9, 3), CultureInfo.InvariantCulture);
        Assert.True(status is not (500 or 502) && (attempt.MaySucceed || status >= 300), $"{attempt.Text}\n{answer}");
        AssertField(answer, "\r\nX-Base-Leader: ", value => value == cluster.Leader.Url);
        AssertField(answer, "\r\nX-Base-Epoch: ", value => value == cluster.Leader.Provider.Current.Epoch.ToString(CultureInfo.InvariantCulture));
        AssertField(answer, "\r\nLocation: ", value => status != 307 || value.StartsWith(cluster.Leader.Url + "/", StringComparison.Ordinal));
        return status.ToString(CultureInfo.InvariantCulture);
    }

    private static void AssertField(string answer, string name, Predicate<string> isRight)
    {
        var at = answer.IndexOf(name, StringComparison.Ordinal);
        Assert.True(at < 0 || isRight(answer[(at + name.Length)..answer.IndexOf("\r\n", at + name.Length, StringComparison.Ordinal)]), answer);
    }
}
