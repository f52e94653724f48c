using Ha.Http;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Configuration;

public sealed class PathPrefixesTests
{
    [Theory]
    [InlineData("POST", "/hooks", "AnyNode")]
    [InlineData("POST", "/hooks/", "AnyNode")]
    [InlineData("DELETE", "/HOOKS/github", "AnyNode")]
    [InlineData("POST", "/hooksandmore", "ByMethod")]
    [InlineData("POST", "/api/hooks", "ByMethod")]
    [InlineData("POST", "", "ByMethod")]
    [InlineData("GET", "/reports/today", "LeaderOnly")]
    [InlineData("HEAD", "/reports", "LeaderOnly")]
    [InlineData("POST", "/reports/ping/x", "AnyNode")]
    [InlineData("GET", "/reports/pinger", "LeaderOnly")]
    [InlineData("OPTIONS", "/reports", "ByMethod")]
    [InlineData("TRACE", "/reports", "ByMethod")]
    [InlineData("POST", "/grün/1", "AnyNode")]
    [InlineData("POST", "/a b", "AnyNode")]
    [InlineData("POST", "/50%", "AnyNode")]
    public void A_prefix_ends_where_a_segment_does_and_the_longest_counts(string method, string path, string expected)
    {
        var prefixes = Parse("/hooks/,/reports/ping,/gr%C3%BCn,/a%20b,/50%25", "/reports");
        Assert.Equal(expected, Choice(prefixes, method, path).ToString());
    }

    [Fact]
    public void A_path_base_that_the_server_took_off_counts_too()
    {
        var prefixes = Parse("/shop/hooks", "");
        Assert.Equal(NodeChoice.AnyNode, Choice(prefixes, "POST", "/shop/hooks/1"));
        Assert.Equal(NodeChoice.AnyNode, Choice(prefixes, "POST", "/hooks/1", pathBase: "/shop"));
        Assert.Equal(NodeChoice.ByMethod, Choice(prefixes, "POST", "/hooks/1"));
        Assert.Equal(NodeChoice.ByMethod, Choice(prefixes, "POST", "/shop/hooks/1", pathBase: "/x"));
    }

    [Fact]
    public void What_becomes_of_the_path_later_does_not_count_and_the_method_does()
    {
        var context = Request("POST", "/hooks/1");
        PathChoice.Leave(context, Parse("/hooks", ""));
        (context.Request.PathBase, context.Request.Path) = ("/x", "/y");
        Assert.Equal(NodeChoice.AnyNode, PathChoice.Of(context));
        context.Request.Method = "OPTIONS";
        Assert.Equal(NodeChoice.ByMethod, PathChoice.Of(context));
    }

    [Fact]
    public void A_slash_alone_is_every_path()
    {
        var prefixes = Parse("/hooks", "/");
        Assert.Equal(NodeChoice.LeaderOnly, Choice(prefixes, "GET", "/"));
        Assert.Equal(NodeChoice.LeaderOnly, Choice(prefixes, "GET", "/any/where"));
        Assert.Equal(NodeChoice.AnyNode, Choice(prefixes, "POST", "/hooks"));
    }

    [Fact]
    public void Without_any_there_is_nothing_to_look_at() => Assert.False(Parse("", "").Any);

    [Theory]
    [InlineData("hooks", "BASE_FORWARD_NEVER (hooks) does not begin with a slash; write a path such as /hooks.")]
    [InlineData("http://x/hooks", "does not begin with a slash")]
    [InlineData("/hooks/*", "is no plain path; write the beginning of one")]
    [InlineData("/hooks/{id}", "is no plain path")]
    [InlineData("/hooks?x", "is no plain path")]
    [InlineData("/a b", "has a space or a control character; write it percent-encoded")]
    [InlineData("/a//b", "has an empty segment")]
    [InlineData("/a/../b", "has an empty segment, '.' or '..'")]
    [InlineData("/a%2Fb", "has a percent sign that stands for no character of a path")]
    [InlineData("/a%4", "has a percent sign that stands for no character of a path")]
    [InlineData("/100%", "write %25 for the sign itself")]
    [InlineData("/_ha/leader", "is answered by every node itself in any case; remove it.")]
    [InlineData("/grpc.health.v1.Health", "is answered by every node itself in any case; remove it.")]
    public void What_is_no_path_is_refused(string value, string expected)
    {
        Assert.Contains(expected, Settings.ProblemOfCluster(("BASE_FORWARD_NEVER", value)), StringComparison.Ordinal);
        Assert.StartsWith($"BASE_FORWARD_ALWAYS ({value}) ", Settings.ProblemOfCluster(("BASE_FORWARD_ALWAYS", value)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_prefix_in_both_is_refused() => Assert.Equal(
        "BASE_FORWARD_NEVER and BASE_FORWARD_ALWAYS both name /hooks; leave it in one of them.",
        Settings.ProblemOfCluster(("BASE_FORWARD_NEVER", "/hooks"), ("BASE_FORWARD_ALWAYS", "/x,/Hooks/")));

    private static PathPrefixes Parse(string never, string always) =>
        Settings.Parse(Settings.Cluster(("BASE_FORWARD_NEVER", never), ("BASE_FORWARD_ALWAYS", always))).Prefixes;

    private static NodeChoice Choice(PathPrefixes prefixes, string method, string path, string pathBase = "")
    {
        var context = Request(method, path, pathBase);
        PathChoice.Leave(context, prefixes);
        return PathChoice.Of(context);
    }

    private static DefaultHttpContext Request(string method, string path, string pathBase = "")
    {
        var context = new DefaultHttpContext();
        (context.Request.Method, context.Request.Path, context.Request.PathBase) = (method, path, pathBase);
        return context;
    }
}
