using System.Net;
using System.Net.Http.Json;
using System.Text;
using Ha.Client;
using static Ha.Tests.Client.ScriptedCluster;

namespace Ha.Tests.Client;

public class BodyTests
{
    [Fact]
    public async Task Write_without_a_body_has_a_content_all_the_same()
    {
        using var cluster = new ScriptedCluster();
        using var response = await cluster.Client.DeleteAsync("/notes/1");
        Assert.Equal(0, cluster.Log[0].Request.Content?.Headers.ContentLength);
        await cluster.Client.GetStringAsync("/notes");
        Assert.Null(cluster.Log[1].Request.Content);
    }

    [Fact]
    public async Task Small_stream_is_kept_and_sent_again()
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy(C);
        using var stream = new StreamContent(new OneWayStream("once")) { Headers = { ContentLength = 4 } };
        using var response = await cluster.Client.PostAsync("/upload", stream);
        Assert.Equal(["once", "once"], cluster.Log.Select(sent => sent.Body));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(6)]
    public async Task Stream_beyond_the_limit_waits_for_100_and_stays_unread_when_a_node_refuses(int? length)
    {
        using var cluster = new ScriptedCluster(o => o.MaxBufferedBodyBytes = 5);
        cluster.LedBy(C);
        var received = "";
        cluster.On(C, async (request, cancellation) =>
        {
            if (request.Method == HttpMethod.Post)
            {
                received = await request.Content!.ReadAsStringAsync(cancellation);
            }

            return Ok(C)(request);
        });
        using var stream = new StreamContent(new OneWayStream("stream")) { Headers = { ContentLength = length } };
        using var response = await cluster.Client.PostAsync("/upload", stream);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("stream", received);
        Assert.All(cluster.Log.Where(sent => sent.Request.Method == HttpMethod.Post), sent => Assert.True(sent.Request.Headers.ExpectContinue));
    }

    [Fact]
    public async Task Who_can_send_its_body_once_only_asks_for_the_leader_first_and_tells_no_secrets()
    {
        using var cluster = new ScriptedCluster(o => o.MaxBufferedBodyBytes = 0);
        foreach (var node in (string[])[A, B])
        {
            cluster.On(node, request => request.RequestUri!.AbsolutePath != "/_ha/leader" ? ToLeader(C)(request) : new HttpResponseMessage
            {
                Content = new StringContent($$"""{"leader_url":"{{C}}","epoch":7}"""),
            });
        }

        cluster.On(C, request => request.RequestUri!.AbsolutePath == "/_ha/leader" ? Refuse(request) : Ok(C)(request));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/upload") { Content = new StreamContent(new OneWayStream("stream")) };
        request.Headers.Add("Authorization", "Bearer secret");
        using var response = await cluster.Client.SendAsync(request);
        Assert.Equal(C, Assert.Single(cluster.Log, sent => sent.Request.Method == HttpMethod.Post).Node);
        Assert.All(cluster.Log.Where(sent => sent.Request.Method == HttpMethod.Get), sent => Assert.Null(sent.Header("Authorization")));
    }

    [Fact]
    public async Task Gateway_is_known_as_one_once_a_node_has_answered_who_leads()
    {
        using var cluster = new ScriptedCluster(o => o.MaxBufferedBodyBytes = 0);
        cluster.Everywhere(Shown(Ok()), Bare(503));
        using var stream = new StreamContent(new OneWayStream("stream"));
        await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => cluster.Client.PostAsync("/upload", stream));
    }

    [Fact]
    public async Task Question_for_the_leader_takes_no_longer_than_the_call_may()
    {
        using var cluster = new ScriptedCluster(o => (o.MaxBufferedBodyBytes, o.Deadline) = (0, TimeSpan.FromSeconds(2)));
        foreach (var node in (string[])[A, B, C])
        {
            cluster.On(node, (_, cancellation) => cluster.Time.HangAsync(cancellation));
        }

        var start = cluster.Time.GetTimestamp();
        using var stream = new StreamContent(new OneWayStream("stream"));
        var error = await Assert.ThrowsAsync<LeaderRoutingException>(() => cluster.Client.PostAsync("/upload", stream));
        Assert.Contains("no node said within the deadline who leads", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, cluster.Time.GetElapsedTime(start).TotalSeconds);
    }

    [Fact]
    public async Task Node_that_does_not_answer_the_question_is_passed_over()
    {
        using var cluster = new ScriptedCluster(o => o.MaxBufferedBodyBytes = 0);
        var asked = 0;
        foreach (var node in (string[])[A, B, C])
        {
            cluster.On(node, (request, cancellation) => !IsRead(request) ? Task.FromResult(Ok(C)(request))
                : asked++ == 0 ? cluster.Time.HangAsync(cancellation)
                : Task.FromResult(new HttpResponseMessage { Content = new StringContent($$"""{"leader_url":"{{C}}","epoch":7}""") }));
        }

        var start = cluster.Time.GetTimestamp();
        using var stream = new StreamContent(new OneWayStream("stream"));
        using var response = await cluster.Client.PostAsync("/upload", stream);
        Assert.Equal(C, cluster.Path[^1]);
        Assert.Equal((2, 4), (asked, cluster.Time.GetElapsedTime(start).TotalSeconds));
    }

    [Fact]
    public async Task Search_for_the_nodes_takes_no_longer_than_what_the_body_has_left_of_the_call()
    {
        using var cluster = new ScriptedCluster(o =>
        {
            o.Deadline = o.ConnectTimeout = TimeSpan.FromSeconds(1);
            o.ResolveNodes = (_, stop) => new(new TaskCompletionSource<IReadOnlyList<Uri>>().Task.WaitAsync(stop));
        });
        using var late = new StreamContent(new LateStream(cluster.Time, TimeSpan.FromSeconds(0.6))) { Headers = { ContentLength = 0 } };
        var call = cluster.Client.PostAsync("/upload", late).WaitAsync(TimeSpan.FromSeconds(20));
        cluster.Time.Advance(TimeSpan.FromSeconds(0.4));
        var error = await Assert.ThrowsAsync<LeaderRoutingException>(() => call);
        Assert.Contains("after 1 s: no node was found", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Body_that_does_not_come_holds_a_call_no_longer_than_its_deadline()
    {
        using var cluster = new ScriptedCluster();
        using var stream = new StreamContent(new StalledStream(cluster.Time)) { Headers = { ContentLength = 4 } };
        var error = await Assert.ThrowsAsync<LeaderRoutingException>(() => cluster.Client.PostAsync("/upload", stream));
        Assert.Contains("its body was not there", error.Message, StringComparison.Ordinal);
        Assert.Empty(cluster.Log);
    }

    [Fact]
    public async Task Body_that_was_read_and_is_not_kept_ends_the_call()
    {
        using var cluster = new ScriptedCluster(o => (o.MaxBufferedBodyBytes, o.AddIdempotencyKey) = (0, true));
        foreach (var node in (string[])[A, B, C])
        {
            cluster.On(node, async (request, cancellation) =>
            {
                await (request.Content?.CopyToAsync(Stream.Null, cancellation) ?? Task.CompletedTask);
                return IsRead(request) ? Ok(A)(request) : Break(request);
            });
        }

        using var stream = new StreamContent(new OneWayStream("stream"));
        var error = await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => cluster.Client.PostAsync("/upload", stream));
        Assert.Contains("MaxBufferedBodyBytes", error.Message, StringComparison.Ordinal);
        Assert.Single(cluster.Log, sent => !IsRead(sent.Request));
    }

    [Fact]
    public async Task Contents_that_keep_their_bytes_are_sent_again_beyond_the_limit()
    {
        using var cluster = new ScriptedCluster(o => o.MaxBufferedBodyBytes = 0);
        cluster.LedBy(B);
        using var json = await cluster.Client.PostAsJsonAsync("/notes", new[] { 1, 2, 3 });
        Assert.Equal("[1,2,3]", await cluster.Log[^1].Request.Content!.ReadAsStringAsync());
        cluster.Forget();
        cluster.On(B, Problem(503, "no leader"), Ok(B));
        using var bytes = await cluster.Client.PostAsync("/notes", new ByteArrayContent(Encoding.UTF8.GetBytes("bytes")));
        Assert.Equal(HttpStatusCode.OK, bytes.StatusCode);
        Assert.All(cluster.Log, sent => Assert.True(sent.Request.Headers.ExpectContinue));
    }

    [Theory]
    [InlineData("channel")]
    [InlineData("iterator")]
    [InlineData("property")]
    public async Task Json_that_can_be_made_once_only_comes_whole_to_the_leader(string kind)
    {
        // The nodes read the body before they redirect, as HTTP/1.1 lets it run out.
        using var cluster = new ScriptedCluster();
        var received = new List<string>();
        foreach (var node in (string[])[A, B, C])
        {
            cluster.On(node, async (request, cancellation) =>
            {
                if (request is { Content: { } content, Headers.ExpectContinue: true } && node == C)
                {
                    received.Add(await TextAsync(content, cancellation));
                }

                return (node == C || IsRead(request) ? Ok(C) : ToLeader(C))(request);
            });
        }

        var items = new Queue<int>([1, 2, 3]);
        using var response = await cluster.Client.PostAsync("/import", kind switch
        {
            "channel" => JsonContent.Create(DrainAsync()),
            "iterator" => JsonContent.Create(Drain()),
            _ => JsonContent.Create(new { Items = Drain() }),
        });
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        received.AddRange(cluster.Log.Select(sent => sent.Body).OfType<string>());
        Assert.All(received, body => Assert.Equal(kind == "property" ? """{"items":[1,2,3]}""" : "[1,2,3]", body));
        Assert.Equal(kind == "property" ? 2 : 1, received.Count);

        IEnumerable<int> Drain()
        {
            while (items.TryDequeue(out var item))
            {
                yield return item;
            }
        }

        async IAsyncEnumerable<int> DrainAsync()
        {
            await Task.Yield();
            foreach (var item in Drain())
            {
                yield return item;
            }
        }
    }

    [Fact]
    public async Task Json_that_is_made_once_only_is_not_sent_again_with_what_is_left_of_it()
    {
        using var cluster = new ScriptedCluster(o => o.AddIdempotencyKey = true);
        cluster.LedBy(B);
        await cluster.Client.GetStringAsync("/");
        cluster.On(B, async (request, cancellation) =>
        {
            await request.Content!.CopyToAsync(Stream.Null, cancellation);
            return Break(request);
        });
        cluster.Forget();
        var left = 3;
        var error = await Assert.ThrowsAsync<WriteOutcomeUnknownException>(() => cluster.Client.PostAsJsonAsync("/import", Countdown()));
        Assert.Contains("MaxBufferedBodyBytes", error.Message, StringComparison.Ordinal);
        Assert.Single(cluster.Log);

        IEnumerable<int> Countdown()
        {
            while (left > 0)
            {
                yield return left--;
            }
        }
    }

    [Fact]
    public async Task Json_of_an_object_is_the_same_each_time_though_the_object_changes()
    {
        using var cluster = new ScriptedCluster();
        var note = new Dictionary<string, int> { ["a"] = 1 };
        cluster.Everywhere(
            request =>
            {
                note["a"] = 2;
                return Problem(503, "no leader")(request);
            },
            Ok(A));
        using var response = await cluster.Client.PostAsJsonAsync("/notes", note);
        Assert.Equal(["""{"a":1}""", """{"a":1}"""], cluster.Log.Select(sent => sent.Body));
        Assert.All(cluster.Log, sent => Assert.Equal(7, sent.Request.Content?.Headers.ContentLength));
    }

    [Fact]
    public async Task Streams_of_gRPC_go_out_at_once()
    {
        using var cluster = new ScriptedCluster(o => o.MaxBufferedBodyBytes = 0);
        using var stream = new StreamContent(new OneWayStream("x")) { Headers = { ContentType = new("application/grpc") } };
        using var response = await cluster.Client.PostAsync("/service/Method", stream);
        Assert.NotEqual(true, cluster.Log[^1].Request.Headers.ExpectContinue);
    }

    /// <summary>Gives nothing until whoever reads gives up.</summary>
    private sealed class StalledStream(VirtualTime time) : MemoryStream
    {
        public override async Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken) =>
            await time.HangAsync(cancellationToken);
    }

    /// <summary>Is empty, and takes its time for that.</summary>
    private sealed class LateStream(VirtualTime time, TimeSpan by) : MemoryStream
    {
        public override Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken)
        {
            time.Advance(by);
            return Task.CompletedTask;
        }
    }

    /// <summary>Cannot be rewound, like a request that is passed on.</summary>
    private sealed class OneWayStream(string text) : MemoryStream(Encoding.UTF8.GetBytes(text))
    {
        public override bool CanSeek => false;
    }
}
