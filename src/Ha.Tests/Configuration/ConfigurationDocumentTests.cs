using System.Text.RegularExpressions;
using Ha.Configuration;
using Ha.Tests.Support;

namespace Ha.Tests.Configuration;

/// <summary>docs/configuration.md says what the code does.</summary>
public partial class ConfigurationDocumentTests
{
    private static readonly string _document = Repository.Read("docs/configuration.md");

    [Fact]
    public void Every_key_has_a_row_and_every_row_is_a_key()
    {
        var rows = RowKey().Matches(_document).Select(match => match.Groups["key"].Value);
        Assert.Equal(HaKeys.Known.Order(StringComparer.Ordinal), rows.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_example_message_is_the_real_one()
    {
        var options = Settings.Read(
            ("BASE_LOCALTARGET", "http://a:1"), ("BASE_PEERS", "http://a:1,http://b:1"), ("BASE_LEASE_TIMEOUT", "400ms"), ("BASE_INSECURE", "true"));
        var error = Assert.Throws<InvalidHaOptionsException>(() => HaSettings.Parse(options));
        Assert.Contains(error.Message.ReplaceLineEndings("\n"), _document, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("BASE_PEERS", "node-2:8080")]
    [InlineData("BASE_PUBLIC_TARGET", "http://a/x")]
    [InlineData("BASE_LOCAL_TARGET", "http://0.0.0.0:8080")]
    [InlineData("BASE_PEERS", "http://b:80/,HTTP://B")]
    [InlineData("BASE_LOCAL_TARGET", "http://localhost:8080")]
    [InlineData("BASE_CLUSTER_SECRET", "")]
    [InlineData("BASE_CLUSTER_SECRET", "hunter2")]
    [InlineData("BASE_NODE_KEY", "secret")]
    [InlineData("BASE_PEER_KEYS", "n2=AAAA")]
    [InlineData("BASE_HEARTBEAT_INTERVAL", "500")]
    [InlineData("BASE_DRAIN_TIMEOUT", "-1s")]
    [InlineData("BASE_QUORUM", "all")]
    [InlineData("BASE_PEER", "x")]
    [InlineData("BASE_GRPC_HEALTH", "false")]
    [InlineData("BASE_SHUTDOWN_DELAY", "25s")]
    public void Each_quoted_message_is_the_start_of_a_real_one(string key, string value)
    {
        var problem = Settings.ProblemOfCluster((key, value));
        Assert.Contains(QuotedMessage().Matches(_document), quoted => problem.StartsWith(quoted.Groups["text"].Value, StringComparison.Ordinal));
    }

    [GeneratedRegex(@"^\| `(?<key>BASE_[A-Z_]+)` \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex RowKey();

    [GeneratedRegex(@"\| `(?<text>BASE_[^`]+?)…?` \|$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex QuotedMessage();
}
