using Ha.Endpoints;
using Ha.Security;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Endpoints;

public sealed class AdminTokenFileTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();
    private readonly ManualTime _time = new();
    private readonly RecordedLogs _logs = new();

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void A_new_token_counts_soon_and_the_old_one_no_longer()
    {
        var admin = Watch("the-first-of-the-tokens");
        Change("the-second-of-the-tokens\n");

        Assert.True(Allows(admin, "the-second-of-the-tokens"));
        Assert.False(Allows(admin, "the-first-of-the-tokens"));
        Assert.Equal("A changed admin token was taken from its file.", Assert.Single(_logs.Entries).Text);
    }

    [Theory]
    [InlineData("", "names an empty file")]
    [InlineData("the-first-of-two-tokens\nand-the-second", "holds 2 tokens")]
    [InlineData("with-a-typo", "is shorter than 16 characters")]
    [InlineData("with a space", "must be printable ASCII without spaces")]
    public void A_token_that_cannot_be_used_changes_nothing_and_is_not_shown(string content, string problem)
    {
        var admin = Watch("the-first-of-the-tokens");
        Change(content);

        Assert.True(Allows(admin, "the-first-of-the-tokens"));
        var (_, id, text) = Assert.Single(_logs.Entries);
        Assert.Equal(1302, id);
        Assert.Contains(problem, text, StringComparison.Ordinal);
        Assert.DoesNotContain("a-typo", text, StringComparison.Ordinal);
        Assert.DoesNotContain("a space", text, StringComparison.Ordinal);
    }

    private AdminToken Watch(string token)
    {
        File.WriteAllText(_path, token);
        var node = new TestNode();
        var admin = new AdminToken(new EndpointSources
        {
            Settings = TestSettings.From(o => o.AdminTokenFile = _path),
            Provider = node.Provider,
            View = () => new ClusterView([], "majority", node.Provider.Current),
            Telemetry = node.Telemetry,
            Clock = _time,
            Log = _logs,
        });
        Look();
        Assert.Empty(_logs.Entries);
        return admin;
    }

    private void Change(string content)
    {
        File.WriteAllText(_path, content);
        Look();
    }

    private void Look() => _time.Advance(2 * FileWatch.Period);

    private static bool Allows(AdminToken admin, string token)
    {
        var context = new DefaultHttpContext();
        context.Request.Headers.Authorization = $"Bearer {token}";
        return admin.AllowsAction(context.Request);
    }
}
