using Grpc.Core;
using Grpc.Net.Client;
using Ha.Grpc.Client;
using Ha.Tests.GrpcCalls;

namespace Ha.Tests.GrpcClient;

/// <summary>Which calls are sent again. The server is a plain one; what counts are its words.</summary>
public sealed class RepeatTests
{
    public static TheoryData<MethodType> Kinds { get; } = new(Enum.GetValues<MethodType>());

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task What_was_not_executed_is_sent_again_with_all_that_was_written(MethodType kind)
    {
        await using var server = await Server.StartAsync(
            Refusal(StatusCode.Unavailable).MarkRetriable(), Refusal(StatusCode.Aborted).MarkRetriable());
        Assert.Equal(kind is MethodType.ClientStreaming or MethodType.DuplexStreaming ? "a b" : "a", await server.CallAsync(kind));
        Assert.Equal(3, server.Attempts);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task What_may_have_been_executed_is_not(MethodType kind)
    {
        await using var server = await Server.StartAsync(Refusal(StatusCode.Unknown).MarkUnretriable());
        var error = await Assert.ThrowsAsync<RpcException>(() => server.CallAsync(kind));
        Assert.Equal((StatusCode.Unknown, false, 1), (error.StatusCode, error.IsSafeToRepeat(), server.Attempts));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Nor_is_an_error_without_a_mark_as_servers_of_old_send_it(MethodType kind)
    {
        await using var server = await Server.StartAsync(Refusal(StatusCode.Unavailable));
        var error = await Assert.ThrowsAsync<RpcException>(() => server.CallAsync(kind));
        Assert.Equal((StatusCode.Unavailable, null, 1), (error.StatusCode, error.IsSafeToRepeat(), server.Attempts));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_key_lets_a_call_be_repeated_whatever_came_of_it_and_stays_the_same(MethodType kind)
    {
        await using var server = await Server.StartAsync(Refusal(StatusCode.Unknown).MarkUnretriable(), Refusal(StatusCode.Unavailable));
        await server.CallAsync(kind, LeaderChannel.InHalfAMinute().WithIdempotencyKey());
        Assert.Equal(3, server.Keys.Count);
        Assert.Equal(32, Assert.Single(server.Keys.Distinct(StringComparer.Ordinal))!.Length);
    }

    [Fact]
    public async Task So_does_an_option_that_names_the_method()
    {
        await using var server = await Server.StartAsync(Refusal(StatusCode.Unavailable));
        Assert.Equal("a", await server.CallAsync(MethodType.Unary, configure: o => o.IdempotentMethods.Add("/test.v1.Calls/Unary")));
        await using var other = await Server.StartAsync(Refusal(StatusCode.Unavailable));
        await Assert.ThrowsAsync<RpcException>(
            () => other.CallAsync(MethodType.Unary, configure: o => o.IdempotentMethods.Add("/test.v1.Calls/Duplex")));
    }

    [Fact]
    public async Task An_error_of_the_method_is_an_answer_even_with_a_key()
    {
        await using var server = await Server.StartAsync(Refusal(StatusCode.InvalidArgument), Refusal(StatusCode.Internal));
        var keyed = LeaderChannel.InHalfAMinute().WithIdempotencyKey();
        await Assert.ThrowsAsync<RpcException>(() => server.CallAsync(MethodType.Unary, keyed));
        await Assert.ThrowsAsync<RpcException>(() => server.CallAsync(MethodType.Unary, keyed));
        Assert.Equal(2, server.Attempts);
    }

    [Fact]
    public async Task Repeats_end_with_the_deadline_and_the_last_error_says_what_is_known_of_all_attempts()
    {
        await using var server = await Server.StartAsync(
            Refusal(StatusCode.Unknown), Refusal(StatusCode.Unavailable).MarkRetriable(), last: true);
        var options = new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddMilliseconds(400)).WithIdempotencyKey("k");
        var error = await Assert.ThrowsAsync<RpcException>(() => server.CallAsync(MethodType.Unary, options));

        // The first one may have been executed, whatever the others say.
        Assert.Equal((StatusCode.Unavailable, false), (error.StatusCode, error.IsSafeToRepeat()));
        Assert.InRange(server.Attempts, 2, 20);
    }

    [Fact]
    public async Task Without_a_deadline_they_end_by_the_option()
    {
        await using var server = await Server.StartAsync(Refusal(StatusCode.Unavailable).MarkRetriable());
        var error = await Assert.ThrowsAsync<RpcException>(
            () => server.CallAsync(MethodType.Unary, new CallOptions(), o => o.RepeatWithin = TimeSpan.Zero));
        Assert.Equal((true, 1), (error.IsSafeToRepeat(), server.Attempts));
    }

    [Fact]
    public async Task A_connection_that_was_never_made_executed_nothing()
    {
        using var channel = GrpcChannel.ForAddress("http://127.0.0.1:1", new GrpcChannelOptions { HttpHandler = Server.Transport() });
        var client = new Calls.CallsClient(channel.WithHaRepeats(o => o.RepeatWithin = TimeSpan.FromMilliseconds(100)));
        var error = await Assert.ThrowsAsync<RpcException>(async () => await client.UnaryAsync(new Said()));
        Assert.Equal((StatusCode.Unavailable, true), (error.StatusCode, error.IsSafeToRepeat()));
        Assert.Equal("true", error.Trailers.GetValue("ha-retriable"));
    }

    [Fact]
    public async Task A_stream_that_has_answered_is_not_repeated()
    {
        await using var server = await Server.StartAsync(
            async answer =>
            {
                await answer!("first");
                throw Refusal(StatusCode.Unavailable).MarkRetriable();
            });
        using var call = server.Client().ServerStream(new Said { Text = "a" }, LeaderChannel.InHalfAMinute());
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal("first", call.ResponseStream.Current.Text);
        await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal(1, server.Attempts);
    }

    [Fact]
    public async Task The_headers_of_a_stream_are_those_of_the_attempt_that_answers()
    {
        await using var server = await Server.StartAsync(Refusal(StatusCode.Unavailable).MarkRetriable());
        using var call = server.Client().ServerStream(new Said { Text = "a" }, LeaderChannel.InHalfAMinute());
        Assert.Equal("2", (await call.ResponseHeadersAsync).GetValue("attempt"));
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal("a", call.ResponseStream.Current.Text);
        Assert.False(await call.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(5, 1)]
    [InlineData(64, 2)]
    public async Task A_stream_of_the_client_is_repeated_while_it_is_kept(int bytes, int attempts)
    {
        await using var server = await Server.StartAsync(Refusal(StatusCode.Unavailable).MarkRetriable());
        var call = server.CallAsync(MethodType.ClientStreaming, configure: o => o.MaxKeptStreamBytes = bytes);
        if (attempts == 1)
        {
            Assert.True((await Assert.ThrowsAsync<RpcException>(() => call)).IsSafeToRepeat());
        }
        else
        {
            Assert.Equal("a b", await call);
        }

        Assert.Equal(attempts, server.Attempts);
    }

    [Fact]
    public async Task A_call_that_blocks_is_repeated_as_well()
    {
        await using var server = await Server.StartAsync(Refusal(StatusCode.Unavailable).MarkRetriable());
        Assert.Equal("a", server.Client().Unary(new Said { Text = "a" }, LeaderChannel.InHalfAMinute()).Text);
    }

    [Fact]
    public async Task A_caller_that_cancels_or_disposes_ends_the_repeats()
    {
        await using var server = await Server.StartAsync(Refusal(StatusCode.Unavailable).MarkRetriable(), last: true);
        using var cancel = new CancellationTokenSource();
        var cancelled = server.CallAsync(MethodType.Unary, LeaderChannel.InHalfAMinute().WithCancellationToken(cancel.Token));
        await server.AttemptedAsync(2);
        await cancel.CancelAsync();
        Assert.Equal(StatusCode.Cancelled, (await Assert.ThrowsAsync<RpcException>(() => cancelled)).StatusCode);

        var call = server.Client().UnaryAsync(new Said(), LeaderChannel.InHalfAMinute());
        await server.AttemptedAsync(server.Attempts + 1);
        call.Dispose();
        await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync);
    }

    [Fact]
    public void A_key_stands_beside_the_other_metadata_and_a_blank_one_is_refused()
    {
        var options = new CallOptions(new Metadata { { "tenant", "7" }, { "idempotency-key", "old" } });
        Assert.Equal(["tenant=7", "idempotency-key=new"], Entries(options.WithIdempotencyKey("new")));
        Assert.Equal(["tenant=7", "idempotency-key=old"], Entries(options.WithIdempotencyKey()));
        Assert.Throws<ArgumentException>(() => options.WithIdempotencyKey(" "));
        Assert.Throws<ArgumentException>(() => options.WithIdempotencyKey("a,b"));

        static IEnumerable<string> Entries(CallOptions options) => options.Headers!.Select(entry => $"{entry.Key}={entry.Value}");
    }

    private static RpcException Refusal(StatusCode status) => new(new Status(status, "as asked"));

    /// <summary>Fails as often as it is told, then echoes.</summary>
    private sealed class Server : IAsyncDisposable
    {
        private readonly Queue<Func<Func<string, Task>?, Task>> _failures;
        private readonly bool _lastStays;
        private LeaderNode _node = null!;
        private GrpcChannel _channel = null!;
        private int _attempts;

        private Server(IEnumerable<Func<Func<string, Task>?, Task>> failures, bool lastStays) =>
            (_failures, _lastStays) = (new(failures), lastStays);

        public int Attempts => Volatile.Read(ref _attempts);

        public List<string?> Keys { get; } = [];

        public static SocketsHttpHandler Transport() => new() { UseProxy = false };

        public static Task<Server> StartAsync(RpcException failure, bool last = false) => StartAsync([_ => throw failure], last);

        public static Task<Server> StartAsync(RpcException first, RpcException second, bool last = false) =>
            StartAsync([_ => throw first, _ => throw second], last);

        public static Task<Server> StartAsync(Func<Func<string, Task>?, Task> failure) => StartAsync([failure], false);

        public Calls.CallsClient Client(Action<HaLeaderOptions>? configure = null) => new(_channel.WithHaRepeats(configure));

        public Task AttemptedAsync(int times) => Support.Eventually.True(() => Attempts >= times);

        public async Task<string> CallAsync(MethodType kind, CallOptions? call = null, Action<HaLeaderOptions>? configure = null)
        {
            var (client, options) = (Client(configure), call ?? LeaderChannel.InHalfAMinute());
            switch (kind)
            {
                case MethodType.Unary:
                    return (await client.UnaryAsync(new Said { Text = "a" }, options)).Text;
                case MethodType.ServerStreaming:
                    using (var answers = client.ServerStream(new Said { Text = "a" }, options))
                    {
                        return await AllAsync(answers.ResponseStream);
                    }

                case MethodType.ClientStreaming:
                    using (var stream = client.ClientStream(options))
                    {
                        await WriteAsync(stream.RequestStream);
                        return (await stream).Text;
                    }

                default:
                    using (var both = client.Duplex(options))
                    {
                        await WriteAsync(both.RequestStream);
                        return await AllAsync(both.ResponseStream);
                    }
            }
        }

        public async ValueTask DisposeAsync()
        {
            _channel.Dispose();
            await _node.DisposeAsync();
        }

        private static async Task<Server> StartAsync(IEnumerable<Func<Func<string, Task>?, Task>> failures, bool last)
        {
            var server = new Server(failures, last);
            server._node = await LeaderNode.StartAsync("a", new LeaderNodeSetup { Health = HealthKind.None, Method = server.RunAsync });
            server._channel = GrpcChannel.ForAddress(
                $"http://{server._node.Address}", new GrpcChannelOptions { HttpHandler = Transport(), DisposeHttpClient = true });
            return server;
        }

        private static async Task WriteAsync(IClientStreamWriter<Said> stream)
        {
            // One object for both: what is kept does not change with it.
            var message = new Said { Text = "a" };
            await stream.WriteAsync(message);
            message.Text = "b";
            await stream.WriteAsync(message);
            await stream.CompleteAsync();
        }

        private static async Task<string> AllAsync(IAsyncStreamReader<Said> stream)
        {
            var texts = new List<string>();
            await foreach (var said in stream.ReadAllAsync())
            {
                texts.Add(said.Text);
            }

            return string.Join(' ', texts);
        }

        private async Task<string> RunAsync(IReadOnlyList<string> texts, Func<string, Task>? answer, ServerCallContext context)
        {
            Func<Func<string, Task>?, Task>? failure;
            int attempt;
            lock (_failures)
            {
                attempt = ++_attempts;
                Keys.Add(context.RequestHeaders.GetValue("idempotency-key"));
                failure = _failures.Count == 0 ? null : _lastStays && _failures.Count == 1 ? _failures.Peek() : _failures.Dequeue();
            }

            if (failure is not null)
            {
                await failure(answer);
            }

            await context.WriteResponseHeadersAsync(new Metadata { { "attempt", $"{attempt}" } });
            return string.Join(' ', texts);
        }
    }
}
