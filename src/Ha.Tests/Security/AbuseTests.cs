using System.Globalization;
using System.Text;
using Ha.Heartbeat;
using Ha.Security;
using Ha.Tests.Forwarding;
using Ha.Tests.Heartbeat;
using Xunit.Abstractions;

namespace Ha.Tests.Security;

/// <summary>
/// Load whose only purpose is harm, over real sockets: memory and logs stay bounded, the members go on hearing each other,
/// leadership stays where it is.
/// </summary>
[Collection(SiegeTests.Name)]
public sealed class AbuseTests(BesiegedCluster cluster, ITestOutputHelper output)
{
    private const int MaxGrowth = 6 * 1024 * 1024;

    // Each node tells each of about a dozen reasons once a minute, and all of this takes less than two.
    private const int MaxLogLines = 100;

    private static readonly TimeProvider _clock = TimeProvider.System;
    private static readonly HaKey _secret = new HmacKey(BesiegedCluster.Secret);

    [Fact]
    public async Task A_flood_of_garbage_costs_neither_memory_nor_log_nor_leadership()
    {
        const int Requests = 40_000;
        var garbage = Garbage();

        var statuses = await BesiegeAsync(Requests, i => garbage[i % garbage.Length]);

        Assert.Equal(Requests, statuses.Values.Sum());
        Assert.Equal([400, 401, 405, 415], statuses.Keys.Order());
        Assert.NotEqual(0, cluster.LogLines);
    }

    [Fact]
    public async Task A_hundred_thousand_made_up_key_ids_and_node_ids_leave_nothing_behind()
    {
        const int Requests = 100_000;

        var statuses = await BesiegeAsync(Requests, i => Post(
            $"{{\"from\":{{\"id\":\"bogus-{i}\"}}}}",
            new SignatureHeaders(
                "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
                $"ha=(\"@method\" \"@path\" \"content-digest\");created=1;keyid=\"{i:x16}\";alg=\"hmac-sha256\";tag=\"ha\"",
                "ha=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")));

        Assert.Equal(Requests, statuses[401]);
    }

    [Fact]
    public async Task Nor_do_made_up_members_that_have_the_secret()
    {
        const int Requests = 5_000;

        var statuses = await BesiegeAsync(Requests, i => Signed(BeatJson.Serialize(Beats.Request(id: $"bogus-{i}") with
        {
            From = Beats.Facts($"bogus-{i}") with { Target = $"http://bogus-{i}:8080", PublicTarget = $"http://bogus-{i}.example", Digest = $"{i:x32}" },
        })));

        Assert.Equal(Requests, statuses[403]);
    }

    [Fact]
    public async Task Bodies_that_drip_in_are_not_waited_for()
    {
        const int Connections = 400;
        var before = cluster.State;
        var (answered, started) = (cluster.BeatsAnswered, _clock.GetTimestamp());
        var port = new Uri(cluster.Leader.Url).Port;
        var stolen = cluster.Captured[0].Headers;

        // Half without a key, half with a head that was really signed, whose body a node has to read.
        using var stop = new CancellationTokenSource();
        var drips = Enumerable.Range(0, Connections)
            .Select(i => DripAsync(port, i % 2 == 0 ? default : stolen, stop.Token)).ToArray();
        var answers = await Task.WhenAll(drips);

        // Without a key: no wait. With a stolen head: the two seconds that a body may take.
        output.WriteLine($"{Connections} dripping bodies, answered within {answers.Max(a => a.After.TotalSeconds):0.0} s; {cluster.BeatsAnswered - answered} heartbeats meanwhile");
        Assert.All(answers.Where((_, i) => i % 2 == 0), answer => Assert.Equal(401, answer.Status));
        Assert.All(answers.Where((_, i) => i % 2 != 0), answer => Assert.Equal(408, answer.Status));
        Assert.True(answers.Where((_, i) => i % 2 == 0).Max(a => a.After) < answers.Where((_, i) => i % 2 != 0).Min(a => a.After));
        AssertBeatsFlowed(answered, _clock.GetElapsedTime(started));
        await cluster.AssertUnmovedAsync(before);
    }

    [Fact]
    public async Task Nonsense_from_somebody_with_the_secret_is_refused_and_moves_nothing()
    {
        var before = cluster.State;
        var valid = Encoding.ASCII.GetString(BeatJson.Serialize(Beats.Request()));
        string[] bodies =
        [
            "", "null", "[]", valid[..^1], valid + "x", new string('[', 8_000), string.Concat(Enumerable.Repeat("{\"a\":", 3_000)),
            valid.Replace("\"seq\":7", $"\"seq\":{new string('9', 6_000)}", StringComparison.Ordinal),
            valid.Replace("\"seq\":7", "\"seq\":1e999999999", StringComparison.Ordinal),
            valid.Replace("\"seq\":7", "\"seq\":-1", StringComparison.Ordinal),
            valid.Replace("node-1\"", "\xFF\xFE\"", StringComparison.Ordinal),
            valid.Replace("node-1\"", "\\ud800\"", StringComparison.Ordinal),
            valid.Insert(1, "\"x\":\"\xC0\x80\","),
        ];

        foreach (var body in bodies)
        {
            Assert.Equal(400, await StatusAsync(Signed(Encoding.Latin1.GetBytes(body))));
        }

        foreach (var body in new[] { "[", new string('[', 4_000), $"{{\"to\":{new string('9', 4_000)}}}", "{\"to\":\"\xFF\"}", "{\"to\":\"\\ud800\"}" })
        {
            Assert.Equal(400, await StatusAsync(Request("POST /_ha/step-down", $"Authorization: Bearer {BesiegedCluster.AdminToken}\r\n", body)));
        }

        await cluster.AssertUnmovedAsync(before);
    }

    [Fact]
    public async Task Heads_of_any_size_are_refused()
    {
        var before = cluster.State;
        var long30K = new string('A', 30_000);

        Assert.Equal(401, await StatusAsync(Request("POST /_ha/step-down", $"Authorization: Bearer {long30K}\r\n")));
        Assert.Equal(401, await StatusAsync(Request("POST /_ha/heartbeat", $"Content-Type: application/json\r\nContent-Digest: {long30K}\r\nSignature-Input: x\r\nSignature: x\r\n")));
        Assert.Equal(415, await StatusAsync(Request("POST /_ha/heartbeat", $"Content-Type: {long30K}\r\n")));
        Assert.Equal(431, await StatusAsync(Request("POST /_ha/heartbeat", $"X: {long30K}\r\nY: {long30K}\r\n")));
        Assert.Equal(431, await StatusAsync(Request("GET /_ha/leader", string.Concat(Enumerable.Range(0, 200).Select(i => $"X-{i}: {i}\r\n")))));
        Assert.Equal(414, await StatusAsync(Request($"GET /_ha/{long30K}", "")));
        await cluster.AssertUnmovedAsync(before);
    }

    /// <summary>Sends it all to the leader and a follower at once, and asserts that nothing came of it.</summary>
    private async Task<IReadOnlyDictionary<int, int>> BesiegeAsync(int requests, Func<int, string> make)
    {
        string[] urls = [cluster.Leader.Url, cluster.Nodes[^1].Url];

        // What is made once and kept: buffers of connections, compiled code.
        var before = cluster.State;
        await Task.WhenAll(urls.Select(url => Flood.RunAsync(url, Math.Max(1_500, requests / 10), 2, make)));
        var heap = GC.GetTotalMemory(forceFullCollection: true);
        var (answered, started) = (cluster.BeatsAnswered, _clock.GetTimestamp());

        var counts = await Task.WhenAll(urls.Select((url, i) => Flood.RunAsync(url, requests / 2, 2, n => make(i * (requests / 2) + n))));

        var took = _clock.GetElapsedTime(started);
        AssertBeatsFlowed(answered, took);
        var growth = GC.GetTotalMemory(forceFullCollection: true) - heap;
        output.WriteLine($"{requests / took.TotalSeconds:0} requests/s for {took.TotalSeconds:0.0} s; heap {growth / 1024:+0;-0} KiB, {cluster.LogLines} log lines so far, {cluster.BeatsAnswered - answered} heartbeats meanwhile");
        Assert.True(growth < MaxGrowth, $"{growth} bytes more on the heap");
        Assert.InRange(cluster.LogLines, 0, MaxLogLines);
        await cluster.AssertUnmovedAsync(before);
        return counts.SelectMany(c => c).GroupBy(c => c.Key, c => c.Value).ToDictionary(same => same.Key, same => same.Sum());
    }

    /// <summary>Each node hears two others in every interval; a quarter of that is far more than a lease needs.</summary>
    private void AssertBeatsFlowed(long before, TimeSpan meanwhile)
    {
        var due = 2 * cluster.Nodes.Count * (meanwhile / BesiegedCluster.Interval);
        Assert.True(cluster.BeatsAnswered - before >= Math.Floor(due / 4), $"{cluster.BeatsAnswered - before} heartbeats in {meanwhile}, due were {due}");
    }

    /// <summary>One of each kind that a node refuses without ending the connection.</summary>
    private string[] Garbage()
    {
        var (stolen, forged) = (cluster.Captured[0].Headers, HeartbeatSignature.SignRequest(new HmacKey("a secret of somebody else"), "{}"u8, 1));
        return
        [
            Post("{}", default),
            Post("x", default),
            Post("{}", forged),
            Post("{}", stolen),
            Post("{}", stolen with { Signature = forged.Signature }),
            Post("{}", stolen with { Signature = "ha=::" }),
            Post("{}", stolen with { SignatureInput = "ha=();created=1" }),
            Post("{}", stolen with { SignatureInput = stolen.SignatureInput!.Replace("hmac-sha256", "ed25519", StringComparison.Ordinal) }),
            Request("POST /_ha/heartbeat", "Content-Type: text/html\r\n", new string('x', 1_000)),
            Request("PUT /_ha/heartbeat", ""),
            Signed("{\"from\":[]}"u8.ToArray()),
        ];
    }

    private static string Signed(byte[] body) =>
        Post(Encoding.Latin1.GetString(body), HeartbeatSignature.SignRequest(_secret, body, 1));

    private static string Post(string body, SignatureHeaders headers) => Request("POST /_ha/heartbeat", Fields(headers), body);

    private static string Fields(SignatureHeaders headers) => headers == default ? "Content-Type: application/json\r\n"
        : $"Content-Type: application/json\r\nContent-Digest: {headers.ContentDigest}\r\nSignature-Input: {headers.SignatureInput}\r\nSignature: {headers.Signature}\r\n";

    private static string Request(string methodAndPath, string fields, string body = "") => string.Create(
        CultureInfo.InvariantCulture, $"{methodAndPath} HTTP/1.1\r\nHost: x\r\nContent-Length: {body.Length}\r\n{fields}\r\n{body}");

    private async Task<int> StatusAsync(string request)
    {
        using var connection = await RawConnection.ConnectAsync(new Uri(cluster.Leader.Url).Port);
        await connection.SendAsync(request);
        return Status(await connection.ReceiveUntilAsync("\r\n\r\n"));
    }

    private static async Task<(int Status, TimeSpan After)> DripAsync(int port, SignatureHeaders headers, CancellationToken stop)
    {
        using var connection = await RawConnection.ConnectAsync(port);
        var started = _clock.GetTimestamp();
        await connection.SendAsync($"POST /_ha/heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: {BeatJson.MaxBodyBytes}\r\n{Fields(headers)}\r\n");
        var answer = connection.ReceiveUntilAsync("\r\n\r\n");
        while (await Task.WhenAny(answer, Task.Delay(200, stop)) != answer)
        {
            await connection.SendAsync(" ");
        }

        return (Status(await answer), _clock.GetElapsedTime(started));
    }

    private static int Status(string answer) => int.Parse(answer.AsSpan(9, 3), CultureInfo.InvariantCulture);
}
