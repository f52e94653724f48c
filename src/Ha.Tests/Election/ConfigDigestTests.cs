using Ha.Election;

namespace Ha.Tests.Election;

public class ConfigDigestTests
{
    private static readonly string[] _members = ["http://a:1", "http://b:1", "http://c:1"];

    [Fact]
    public void Equal_settings_give_this_digest_on_every_node_and_version()
    {
        // Python: hashlib.sha256(b"ha config\nprotocol 1\ncluster default\nlease 1500000\ncandidacy 500000\ndrift 20\n"
        //     b"majority\nmember http://a:1\nmember http://b:1\nmember http://c:1\n").hexdigest()[:32]
        Assert.Equal("2a463350d353a0cd049d642b012ae280", Digest());
    }

    [Fact]
    public void Order_and_repetition_of_members_do_not_count()
    {
        Assert.Equal(Digest(), Digest(members: ["http://c:1", "http://a:1", "http://b:1", "http://a:1"]));
    }

    [Fact]
    public void Everything_that_must_agree_changes_the_digest()
    {
        string[] digests =
        [
            Digest(),
            Digest(cluster: "other"),
            Digest(members: ["http://a:1", "http://b:1"]),
            Digest(members: ["http://a:1", "http://b:1", "http://c:2"]),
            Digest(lease: 1_500_001),
            Digest(candidacy: 500_001),
            Digest(drift: 21),
            Digest(majority: false),
            Digest(version: 2),
        ];

        Assert.Equal(digests.Length, digests.Distinct(StringComparer.Ordinal).Count());
    }

    private static string Digest(
        string cluster = "default", string[]? members = null, long lease = 1_500_000, long candidacy = 500_000,
        int drift = 20, bool majority = true, int version = 1) =>
        ConfigDigest.Compute(cluster, members ?? _members, lease, candidacy, drift, majority, version);
}
