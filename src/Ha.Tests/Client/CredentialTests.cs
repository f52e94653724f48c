using System.Net;
using System.Net.Http.Headers;
using Ha.Client;
using static Ha.Tests.Client.ScriptedCluster;

namespace Ha.Tests.Client;

public class CredentialTests
{
    private const string Public = "http://public:80", PublicNormal = "http://public";

    [Fact]
    public async Task Authorization_goes_along_to_configured_members()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy(B);
        using var response = await SendAsync(cluster);
        Assert.All(cluster.Log, sent => Assert.Equal("Bearer secret", sent.Header("Authorization")));
        Assert.Equal(B, cluster.Path[^1]);
    }

    [Fact]
    public async Task Leader_that_is_not_configured_is_reached_without_credentials_and_not_remembered()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy(Public);
        cluster.On(PublicNormal, Ok(Public));
        for (var i = 0; i < 2; i++)
        {
            cluster.Forget();
            using var response = await SendAsync(cluster);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal(2, cluster.Log.Count);
            Assert.Equal("Bearer secret", cluster.Log[0].Header("Authorization"));
            Assert.Equal(PublicNormal, cluster.Log[1].Node);
            Assert.Null(cluster.Log[1].Header("Authorization"));
            Assert.Null(cluster.Log[1].Header("Cookie"));
            Assert.Null(cluster.Log[1].Header("Proxy-Authorization"));
            Assert.Equal("text", cluster.Log[1].Body);
            Assert.Equal("kept", cluster.Log[1].Header("X-Other"));
        }
    }

    [Fact]
    public async Task Leader_that_a_configured_node_names_gets_credentials_when_the_options_trust_it()
    {
        using var cluster = new ScriptedCluster(o => o.TrustReportedLeaders = true);
        cluster.LedBy(Public);
        cluster.On(PublicNormal, Ok(Public));
        using var first = await SendAsync(cluster);
        Assert.Equal("Bearer secret", cluster.Log[^1].Header("Authorization"));
        cluster.Forget();
        using var second = await SendAsync(cluster);
        Assert.Equal([PublicNormal], cluster.Path);
        Assert.Equal("Bearer secret", cluster.Log[0].Header("Authorization"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Redirect_that_the_node_does_not_call_its_leader_is_not_followed(bool trust)
    {
        using var cluster = new ScriptedCluster(o => o.TrustReportedLeaders = trust);
        cluster.Everywhere(request =>
        {
            var response = Ok(A)(request);
            response.StatusCode = HttpStatusCode.TemporaryRedirect;
            response.Headers.Location = new Uri("http://evil.test" + request.RequestUri!.PathAndQuery);
            return response;
        });
        using var response = await SendAsync(cluster);
        Assert.Equal(HttpStatusCode.TemporaryRedirect, response.StatusCode);
        Assert.Single(cluster.Log);
    }

    [Fact]
    public async Task Body_of_the_redirect_names_the_leader_where_headers_are_off()
    {
        using var cluster = new ScriptedCluster(o => o.TrustReportedLeaders = true);
        cluster.On(PublicNormal, Ok());
        foreach (var node in (string[])[A, B, C])
        {
            cluster.On(node, request =>
            {
                var response = Problem(307, "not leader")(request);
                response.Headers.TryAddWithoutValidation("Location", PublicNormal + request.RequestUri!.PathAndQuery);
                return response;
            });
        }

        using var response = await SendAsync(cluster);
        Assert.Equal(PublicNormal, cluster.Path[^1]);
        Assert.Equal("Bearer secret", cluster.Log[^1].Header("Authorization"));
    }

    [Fact]
    public async Task Member_that_is_not_configured_cannot_name_another()
    {
        using var cluster = new ScriptedCluster(o => o.TrustReportedLeaders = true);
        cluster.LedBy(Public);
        cluster.On(PublicNormal, ToLeader("http://evil.test", 8), Ok(Public, 9));
        using var response = await SendAsync(cluster);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.DoesNotContain("http://evil.test", cluster.Path);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Encryption_is_never_lost_on_the_way(bool trust)
    {
        using var cluster = new ScriptedCluster(o => (o.Nodes, o.TrustReportedLeaders) = (["https://a"], trust));
        cluster.On("https://a", ToLeader("http://a"));
        cluster.On("http://a", Ok());
        var error = await Assert.ThrowsAsync<LeaderRoutingException>(() => SendAsync(cluster));
        Assert.Contains("would lose the encryption", error.Message, StringComparison.Ordinal);
        Assert.Equal(["https://a"], cluster.Path);
    }

    [Fact]
    public async Task Leader_that_is_named_without_encryption_is_not_taken_for_one()
    {
        using var cluster = new ScriptedCluster(o => (o.Nodes, o.TrustReportedLeaders) = (["https://a"], true));
        cluster.On("https://a", Ok("http://a"));
        await cluster.Client.GetStringAsync("/");
        using var response = await SendAsync(cluster);
        Assert.Equal(["https://a", "https://a"], cluster.Path);
    }

    private static async Task<HttpResponseMessage> SendAsync(ScriptedCluster cluster)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/notes") { Content = new StringContent("text") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "secret");
        request.Headers.Add("Cookie", "session=1");
        request.Headers.Add("Proxy-Authorization", "Basic secret");
        request.Headers.Add("X-Other", "kept");
        return await cluster.Client.SendAsync(request);
    }
}
