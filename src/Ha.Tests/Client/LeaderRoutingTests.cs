using System.Net;
using Ha.Client;
using static Ha.Tests.Client.ScriptedCluster;

namespace Ha.Tests.Client;

public class LeaderRoutingTests
{
    [Fact]
    public async Task First_write_follows_the_redirect_and_the_next_goes_straight_to_the_leader()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy(C);
        using var first = await cluster.Client.PostAsync("/notes?x=1", new StringContent("one"));
        Assert.Equal(C, cluster.Path[^1]);
        Assert.Equal(2, cluster.Path.Length);
        Assert.All(cluster.Log, sent => Assert.Equal("/notes?x=1", sent.Request.RequestUri!.PathAndQuery));
        Assert.All(cluster.Log, sent => Assert.Equal("one", sent.Body));

        cluster.Forget();
        using var second = await cluster.Client.PostAsync("/notes", new StringContent("two"));
        Assert.Equal([C], cluster.Path);
    }

    [Fact]
    public async Task Read_tells_where_the_next_write_goes()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy(B);
        await cluster.Client.GetStringAsync("/notes");
        cluster.Forget();
        using var response = await cluster.Client.DeleteAsync("/notes/1");
        Assert.Equal([B], cluster.Path);
    }

    [Fact]
    public async Task Reads_spread_evenly_over_all_nodes()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy(A);
        for (var i = 0; i < 30; i++)
        {
            await cluster.Client.GetStringAsync("/notes");
        }

        Assert.All(cluster.Path.CountBy(node => node), count => Assert.Equal(10, count.Value));
        Assert.Equal(3, cluster.Path.Distinct().Count());
    }

    [Fact]
    public async Task Request_may_ask_for_the_leader_or_for_any_node_whatever_its_method()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy(B);
        cluster.On(A, Ok(B));
        cluster.On(C, Ok(B));
        await cluster.Client.GetStringAsync("/");
        cluster.Forget();
        for (var i = 0; i < 3; i++)
        {
            using var read = new HttpRequestMessage(HttpMethod.Get, "/fresh");
            read.Options.Set(LeaderRouting.ToLeader, true);
            using var fresh = await cluster.Client.SendAsync(read);
            using var search = new HttpRequestMessage(HttpMethod.Post, "/search");
            search.Options.Set(LeaderRouting.ToLeader, false);
            using var found = await cluster.Client.SendAsync(search);
        }

        Assert.All(cluster.Log, sent => Assert.True(sent.Request.Method != HttpMethod.Get || sent.Node == B));
        Assert.Equal(3, cluster.Log.Where(sent => sent.Request.Method == HttpMethod.Post).Select(sent => sent.Node).Distinct().Count());
    }

    [Fact]
    public async Task Older_epoch_does_not_move_the_leader()
    {
        using var cluster = new ScriptedCluster();
        cluster.Everywhere(Ok(B, 9), Ok(A, 8));
        await cluster.Client.GetStringAsync("/");
        await cluster.Client.GetStringAsync("/");
        cluster.Forget();
        using var response = await cluster.Client.PutAsync("/notes/1", content: null);
        Assert.Equal([B], cluster.Path);
    }

    [Fact]
    public async Task Leader_that_redirects_is_believed_whatever_the_epoch()
    {
        // A cluster that goes over from election to a static leader falls back to epoch 0.
        using var cluster = new ScriptedCluster();
        cluster.LedBy(B, 9);
        await cluster.Client.GetStringAsync("/");
        cluster.LedBy(C, 0);
        using var first = await cluster.Client.PostAsync("/notes", content: null);
        cluster.Forget();
        using var second = await cluster.Client.PostAsync("/notes", content: null);
        Assert.Equal([C], cluster.Path);
    }

    [Fact]
    public async Task Nodes_that_send_a_write_in_circles_are_asked_again_until_they_agree()
    {
        using var cluster = new ScriptedCluster();
        var rounds = 0;
        cluster.On(A, request => ++rounds > 4 ? Ok(A)(request) : ToLeader(B)(request));
        cluster.On(B, ToLeader(A));
        cluster.On(C, ToLeader(A));
        using var response = await cluster.Client.PostAsync("/notes", content: null);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.NotEmpty(cluster.Time.Delays);
    }

    [Fact]
    public async Task Nodes_that_never_agree_end_in_one_exception_within_the_deadline()
    {
        using var cluster = new ScriptedCluster();
        cluster.On(A, ToLeader(B));
        cluster.On(B, ToLeader(C));
        cluster.On(C, ToLeader(A));
        var error = await Assert.ThrowsAsync<LeaderRoutingException>(() => cluster.Client.PostAsync("/notes", content: null));
        Assert.Contains("307 to", error.Message, StringComparison.Ordinal);
        Assert.InRange(cluster.Path.Length, 100, 400);
    }

    [Fact]
    public async Task Redirect_of_the_application_goes_to_the_caller()
    {
        using var cluster = new ScriptedCluster();
        cluster.Everywhere(_ =>
        {
            var response = new HttpResponseMessage(HttpStatusCode.TemporaryRedirect);
            response.Headers.Location = new Uri("http://a:1/elsewhere");
            return response;
        });
        using var response = await cluster.Client.PostAsync("/notes", content: null);
        Assert.Equal(HttpStatusCode.TemporaryRedirect, response.StatusCode);
        Assert.Single(cluster.Log);
    }

    [Fact]
    public async Task Node_that_sends_a_write_back_to_its_own_address_is_asked_again()
    {
        using var cluster = new ScriptedCluster(o => o.Nodes = [A]);
        cluster.On(
            A,
            request =>
            {
                var response = Problem(307, "not leader")(request);
                response.Headers.Location = new Uri(A + "/notes");
                return response;
            },
            Ok(A));
        using var response = await cluster.Client.PostAsync("/notes", content: null);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Single(cluster.Time.Delays);
    }

    [Fact]
    public async Task Two_slashes_at_the_start_of_a_path_do_not_name_a_host()
    {
        using var cluster = new ScriptedCluster();
        using var response = await cluster.Client.GetAsync(A + "//evil.test/x?y#z");
        Assert.Equal("//evil.test/x?y", Assert.Single(cluster.Log).Request.RequestUri!.PathAndQuery);
        Assert.Contains(cluster.Path[0], new[] { A, B, C });
    }

    [Fact]
    public async Task Path_is_sent_byte_for_byte()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy(A);
        var raw = new Uri(B + "/a%2Fb/%7Ec?q=%20", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var response = await cluster.Client.PostAsync(raw, content: null);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.All(cluster.Log, sent => Assert.Equal("/a%2Fb/%7Ec?q=%20", sent.Request.RequestUri!.PathAndQuery));
    }

    [Fact]
    public async Task Other_hosts_are_refused()
    {
        using var cluster = new ScriptedCluster();
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => cluster.Client.GetAsync("http://elsewhere:9/x"));
        Assert.Contains("http://elsewhere:9 is not one of its Nodes", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(() => cluster.Client.GetAsync("http://user@a:1/x"));
        Assert.Empty(cluster.Log);
    }

    [Fact]
    public void Synchronous_calls_are_refused_rather_than_sent_past_the_routing()
    {
        using var cluster = new ScriptedCluster();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        Assert.Throws<NotSupportedException>(() => cluster.Client.Send(request));
    }
}
