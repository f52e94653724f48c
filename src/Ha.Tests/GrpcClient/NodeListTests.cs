using Ha.Grpc.Client.Resolving;

namespace Ha.Tests.GrpcClient;

public sealed class NodeListTests
{
    [Theory]
    [InlineData("ha:///a:1,b:2", "a:1 b:2")]
    [InlineData("HA:///A.Example:1", "a.example:1")]
    [InlineData("ha:///orders.internal", "orders.internal:443")]
    [InlineData("ha:///10.0.0.1:5001,[::1]:5002, [fd00::2] /", "10.0.0.1:5001 [::1]:5002 [fd00::2]:443")]
    public void A_list_is_read_as_it_was_written(string address, string nodes) =>
        Assert.Equal(nodes, string.Join(' ', NodeList.Parse(new Uri(address), 443).Select(node => node.Text)));

    [Theory]
    [InlineData("ha://a/", "write three slashes before the list, as in ha:///a:5001,b:5001")]
    [InlineData("ha:///", "an entry is empty")]
    [InlineData("ha:///a:1,,b:2", "an entry is empty")]
    [InlineData("ha:///a:1,", "an entry is empty")]
    [InlineData("ha:///a:1,b:2,A:1", "'A:1' stands in it twice")]
    [InlineData("ha:///https://a:1", "'https://a:1' has a scheme: write host and port only; the channel's Credentials say whether it is TLS")]
    [InlineData("ha:///a:0", "'a:0' has no port between 1 and 65535 behind its colon")]
    [InlineData("ha:///a:65536", "'a:65536' has no port between 1 and 65535 behind its colon")]
    [InlineData("ha:///a:", "'a:' has no port between 1 and 65535 behind its colon")]
    [InlineData("ha:///a:1/x", "'a:1/x' has no port between 1 and 65535 behind its colon")]
    [InlineData("ha:///a b:1", "'a b:1' is no host name or IP address (one of IPv6 stands in brackets) with a port")]
    [InlineData("ha:///u@a:1", "'u@a:1' is no host name or IP address (one of IPv6 stands in brackets) with a port")]
    public void A_bad_list_is_refused_with_what_is_wrong(string address, string what) =>
        Assert.Equal(
            $"The address '{address}' is malformed: {what}.",
            Assert.Throws<InvalidOperationException>(() => NodeList.Parse(new Uri(address), 443)).Message);

    [Fact]
    public void So_is_one_without_end()
    {
        var address = new Uri($"ha:///{string.Join(',', Enumerable.Range(1, 65).Select(port => $"a:{port}"))}");
        var error = Assert.Throws<InvalidOperationException>(() => NodeList.Parse(address, 443));
        Assert.EndsWith("malformed: it has 65 entries, and 64 is the most.", error.Message, StringComparison.Ordinal);
    }
}
