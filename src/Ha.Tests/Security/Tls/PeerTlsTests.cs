using Ha.Heartbeat;
using Ha.Http;
using Ha.Leadership;
using Ha.Security;
using Ha.Tests.Heartbeat;
using Ha.Tests.Security.Signing;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;

namespace Ha.Tests.Security.Tls;

/// <summary>Heartbeats over https: what is refused on either side, what the log says then, and renewed certificates.</summary>
public sealed class PeerTlsTests : IDisposable
{
    private readonly TestAuthority _ours = new();
    private readonly TestAuthority _theirs = new();

    public void Dispose()
    {
        _ours.Dispose();
        _theirs.Dispose();
    }

    [Fact]
    public async Task A_peer_of_another_authority_gets_no_heartbeat()
    {
        await using var peer = await TlsPeer.StartAsync(_ours, "127.0.0.1");

        Assert.Contains("failed: tls, its certificate comes from an authority that this node does not trust; BASE_CA_FILE", await FailureAsync(peer, _theirs, _ours.Issue("n")), StringComparison.Ordinal);
        Assert.Equal(0, peer.Requests);
    }

    [Fact]
    public async Task A_peer_with_the_certificate_of_another_host_gets_no_heartbeat()
    {
        await using var peer = await TlsPeer.StartAsync(_ours, "other.example");

        Assert.Contains("failed: tls, its certificate is for another host than the one in its URL", await FailureAsync(peer, _ours, _ours.Issue("n")), StringComparison.Ordinal);
        Assert.Equal(0, peer.Requests);
    }

    [Fact]
    public async Task A_peer_whose_certificate_has_ended_gets_no_heartbeat()
    {
        await using var peer = await TlsPeer.StartAsync(_ours, "127.0.0.1", expired: true);

        Assert.Contains("failed: tls, its certificate has ended", await FailureAsync(peer, _ours, _ours.Issue("n")), StringComparison.Ordinal);
        Assert.Equal(0, peer.Requests);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_node_without_a_certificate_of_the_authority_is_refused_by_its_peer(bool ofAnotherAuthority)
    {
        await using var peer = await TlsPeer.StartAsync(_ours, "127.0.0.1");

        var said = await FailureAsync(peer, _ours, ofAnotherAuthority ? _theirs.Issue("n") : null);

        Assert.Contains("does not take this node's certificate (BASE_CLIENT_CERT_FILE)", said, StringComparison.Ordinal);
        Assert.Equal(0, peer.Requests);
    }

    [Fact]
    public async Task Renewed_files_are_used_without_a_restart_and_broken_ones_are_not()
    {
        await using var peer = await TlsPeer.StartAsync(_ours, "127.0.0.1");
        var (first, second) = (_ours.Issue("n"), _ours.Issue("n"));
        var folder = new NodeFiles(_ours.Folder, _ours.File, first);
        using var logs = new RecordedLogs();
        using var tls = folder.Open(logs);
        using var addresses = new MemberAddresses();
        using var handler = PeerHandler.Create(TimeSpan.FromSeconds(30), tls, addresses);
        using var client = new PeerClient(handler, new KeySource(Rings.Old));

        Assert.Equal(ExchangeFailure.None, await SendAsync(client, peer));
        using var before = first.Load();
        Assert.Equal(before.SerialNumber, peer.LastClient);

        File.WriteAllText(folder.Certificate, "half a certif");
        await Eventually.True(() => logs.Entries.Any(entry => entry.Id == 1111));
        Assert.Equal(ExchangeFailure.None, await SendAsync(client, peer));
        Assert.Equal(before.SerialNumber, peer.LastClient);

        folder.Put(_ours.File, second);
        using var after = second.Load();
        await Eventually.True(async () => await SendAsync(client, peer) == ExchangeFailure.None && peer.LastClient == after.SerialNumber);

        folder.Put(_theirs.File, second);
        await Eventually.True(async () => await SendAsync(client, peer) == ExchangeFailure.Tls);
        folder.Put(_ours.File, second);
        await Eventually.True(async () => await SendAsync(client, peer) == ExchangeFailure.None);

        Assert.Equal(3, logs.Entries.Count(entry => entry.Id == 1110));
        Assert.DoesNotContain(logs.Entries, entry => entry.Text.Contains("PRIVATE", StringComparison.Ordinal));
    }

    [Fact]
    public void An_own_certificate_that_has_ended_is_said_at_start()
    {
        using var logs = new RecordedLogs();
        using var tls = new NodeFiles(_ours.Folder, _ours.File, _ours.Issue("n", expired: true)).Open(logs);

        Assert.Contains("ended at", Assert.Single(logs.Entries, entry => entry.Id == 1112).Text, StringComparison.Ordinal);
    }

    private static async Task<ExchangeFailure> SendAsync(PeerClient client, TlsPeer peer)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        return (await client.SendAsync(peer.Url, Beats.Request(), limit.Token)).Failure;
    }

    /// <summary>What a node logs of its first heartbeat to this peer.</summary>
    private static async Task<string> FailureAsync(TlsPeer peer, TestAuthority authority, IssuedCertificate? own)
    {
        var options = new HaOptions
        {
            NodeId = "a",
            LocalTarget = "https://127.0.0.1:1",
            CaFile = authority.File,
            ClientCertFile = own?.File,
            ClientKeyFile = own?.KeyFile,

            // Its limit for an exchange must not end a first handshake on a busy machine.
            HeartbeatInterval = TimeSpan.FromSeconds(10),
            LeaseTimeout = TimeSpan.FromSeconds(30),
        };
        options.Peers.Add(peer.Url);
        options.ClusterSecrets.Add(Rings.OldSecret);
        using var logs = new RecordedLogs();
        await using var node = new LuxLeader(options, loggers: logs);
        node.SetReady();
        await Eventually.True(() => logs.Entries.Any(entry => entry.Id == 1101));
        return logs.Entries.First(entry => entry.Id == 1101).Text;
    }
}
