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

        // The first one may have been executed, whatever the others say; the deadline may come in the middle of one.
        Assert.Contains(error.StatusCode, (StatusCode[])[StatusCode.Unavailable, StatusCode.DeadlineExceeded]);
        Assert.False(error.IsSafeToRepeat());
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
        Assert.Null(error.Trailers.GetValue("ha-retriable"));
    }

    /// <summary>A method that lets the error of a call of its own pass has done all that came before that call.</summary>
    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task What_a_call_of_its_own_ended_with_says_nothing_of_a_method(bool plugin, bool marked)
    {
        await using var stock = await Server.StartAsync(Refusal(StatusCode.Unavailable).MarkRetriable(), last: true);
        using var nobody = GrpcChannel.ForAddress("http://127.0.0.1:1", new GrpcChannelOptions { HttpHandler = Server.Transport() });
        var charged = 0;
        await using var orders = await LeaderNode.StartAsync("orders", new LeaderNodeSetup
        {
            Health = plugin ? HealthKind.Plugin : HealthKind.None,
            Method = async (_, _, _) =>
            {
                Interlocked.Increment(ref charged);

                // Without repeats the mark is where the server has put it.
                var inner = marked && plugin ? new Calls.CallsClient(stock.Channel)
                    : marked ? stock.Client(o => o.RepeatWithin = TimeSpan.Zero)
                    : new Calls.CallsClient(nobody.WithHaRepeats(o => o.RepeatWithin = TimeSpan.Zero));
                return (await inner.UnaryAsync(new Said(), new CallOptions())).Text;
            },
        });
        orders.Leadership.Lead();
        using var channel = Server.Connect(orders);
        var client = new Calls.CallsClient(channel.WithHaRepeats(o => o.RepeatWithin = TimeSpan.FromMilliseconds(300)));
        var error = await Assert.ThrowsAsync<RpcException>(async () => await client.UnaryAsync(new Said(), new CallOptions()));
        Assert.Equal((StatusCode.Unavailable, null, 1), (error.StatusCode, error.IsSafeToRepeat(), charged));
    }

    [Fact]
    public async Task A_message_that_cannot_be_sent_is_an_error_and_the_stream_goes_on_without_it()
    {
        await using var server = await Server.StartAsync();
        using var channel = GrpcChannel.ForAddress(
            server.Url, new GrpcChannelOptions { MaxSendMessageSize = 100, HttpHandler = Server.Transport() });
        using var call = new Calls.CallsClient(channel.WithHaRepeats()).ClientStream(LeaderChannel.InHalfAMinute());
        await call.RequestStream.WriteAsync(new Said { Text = "a" });
        var error = await Assert.ThrowsAsync<RpcException>(() => call.RequestStream.WriteAsync(new Said { Text = new string('x', 200) }));
        Assert.Equal(StatusCode.ResourceExhausted, error.StatusCode);
        await call.RequestStream.WriteAsync(new Said { Text = "b" });
        await call.RequestStream.CompleteAsync();
        Assert.Equal("a b", (await call).Text);
    }

    [Fact]
    public async Task Nor_is_it_sent_by_the_next_attempt()
    {
        await using var server = await Server.StartAsync(Refusal(StatusCode.Unavailable).MarkRetriable());
        using var channel = GrpcChannel.ForAddress(
            server.Url, new GrpcChannelOptions { MaxSendMessageSize = 100, HttpHandler = Server.Transport() });
        using var call = new Calls.CallsClient(channel.WithHaRepeats()).ClientStream(LeaderChannel.InHalfAMinute());
        await call.RequestStream.WriteAsync(new Said { Text = "a" });
        await Assert.ThrowsAsync<RpcException>(() => call.RequestStream.WriteAsync(new Said { Text = new string('x', 200) }));
        await call.RequestStream.CompleteAsync();
        Assert.Equal("a", (await call).Text);
        Assert.Equal(2, server.Attempts);
    }

    [Fact]
    public async Task A_message_after_the_end_is_an_error()
    {
        await using var server = await Server.StartAsync();
        using var call = server.Client().Duplex(LeaderChannel.InHalfAMinute());
        await call.RequestStream.CompleteAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() => call.RequestStream.WriteAsync(new Said { Text = "late" }));
    }

    [Fact]
    public async Task The_error_of_a_stream_that_has_answered_says_what_is_known_of_all_attempts()
    {
        await using var server = await Server.StartAsync(
            _ => throw Refusal(StatusCode.Unknown).MarkUnretriable(),
            async answer =>
            {
                await answer!("first");
                throw Refusal(StatusCode.Unavailable).MarkRetriable();
            });
        using var call = server.Client().ServerStream(new Said { Text = "a" }, LeaderChannel.InHalfAMinute().WithIdempotencyKey());
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        var error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None));
        Assert.False(error.IsSafeToRepeat());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_channel_that_ends_between_two_attempts_ends_the_call_with_its_last_error(bool blocks)
    {
        await using var server = await Server.StartAsync(Refusal(StatusCode.Unavailable).MarkRetriable(), last: true);
        var client = server.Client(o => o.Jitter = () =>
        {
            server.Channel.Dispose();
            return 0;
        });
        var error = await Assert.ThrowsAsync<RpcException>(async () =>
            _ = blocks ? client.Unary(new Said(), LeaderChannel.InHalfAMinute()) : await client.UnaryAsync(new Said(), LeaderChannel.InHalfAMinute()));
        Assert.Equal((StatusCode.Unavailable, true, 1), (error.StatusCode, error.IsSafeToRepeat(), server.Attempts));
    }

    [Fact]
    public async Task A_read_that_is_cancelled_between_two_attempts_ends_with_cancelled()
    {
        await using var server = await Server.StartAsync(Refusal(StatusCode.Unavailable).MarkRetriable(), last: true);
        using var cancel = new CancellationTokenSource();
        var client = server.Client(o => o.Jitter = () =>
        {
            cancel.Cancel();
            return 0;
        });
        using var call = client.ServerStream(new Said(), LeaderChannel.InHalfAMinute());
        var error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(cancel.Token));
        Assert.Equal((StatusCode.Cancelled, StatusCode.Cancelled), (error.StatusCode, call.GetStatus().StatusCode));
    }

    [Fact]
    public async Task Two_reads_at_a_time_are_refused()
    {
        var go = new TaskCompletionSource();
        await using var server = await Server.StartAsync(_ => go.Task);
        using var call = server.Client().ServerStream(new Said { Text = "a" }, LeaderChannel.InHalfAMinute());
        var first = call.ResponseStream.MoveNext(CancellationToken.None);
        await Assert.ThrowsAsync<InvalidOperationException>(() => call.ResponseStream.MoveNext(CancellationToken.None));
        go.SetResult();
        Assert.True(await first);
        Assert.Equal("a", call.ResponseStream.Current.Text);
    }

    /// <summary>As threads of user interfaces have one.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_thread_with_a_synchronization_context_may_block_on_a_call(int way)
    {
        await using var a = await LeaderNode.StartAsync("a", new LeaderNodeSetup { Method = (_, _, _) => Task.FromResult("a") });
        a.Leadership.Lead();
        using var channel = new LeaderChannel(a);
        await channel.MovesToAsync("a");
        var done = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            SynchronizationContext.SetSynchronizationContext(new Deaf());
            done.SetResult(Call());
        })
        {
            IsBackground = true,
        };
        thread.Start();
        Assert.Equal("a", await done.Task.WaitAsync(TimeSpan.FromSeconds(10)));

        string Call()
        {
            switch (way)
            {
                case 0:
                    return channel.Client.Unary(new Said()).Text;
                case 1:
                    return channel.Repeating.UnaryAsync(new Said()).ResponseAsync.GetAwaiter().GetResult().Text;
                case 2:
                    using (var call = channel.Repeating.ClientStream())
                    {
                        call.RequestStream.WriteAsync(new Said()).GetAwaiter().GetResult();
                        call.RequestStream.CompleteAsync().GetAwaiter().GetResult();
                        return call.ResponseAsync.GetAwaiter().GetResult().Text;
                    }

                default:
                    using (var call = channel.Repeating.ServerStream(new Said()))
                    {
                        call.ResponseStream.MoveNext(CancellationToken.None).GetAwaiter().GetResult();
                        return call.ResponseStream.Current.Text;
                    }
            }
        }
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

        // An attempt that was about to end does so with the server's word.
        var ended = await Assert.ThrowsAsync<RpcException>(() => cancelled);
        Assert.Contains(ended.StatusCode, (StatusCode[])[StatusCode.Cancelled, StatusCode.Unavailable]);

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

    /// <summary>Its one thread is blocked.</summary>
    private sealed class Deaf : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state)
        {
            // Nobody comes to run it.
        }
    }

    /// <summary>Fails as often as it is told, then echoes.</summary>
    private sealed class Server : IAsyncDisposable
    {
        private readonly Queue<Func<Func<string, Task>?, Task>> _failures;
        private readonly bool _lastStays;
        private LeaderNode _node = null!;
        private int _attempts;

        private Server(IEnumerable<Func<Func<string, Task>?, Task>> failures, bool lastStays) =>
            (_failures, _lastStays) = (new(failures), lastStays);

        public GrpcChannel Channel { get; private set; } = null!;

        public string Url => $"http://{_node.Address}";

        public int Attempts => Volatile.Read(ref _attempts);

        public List<string?> Keys { get; } = [];

        public static SocketsHttpHandler Transport() => new() { UseProxy = false };

        public static GrpcChannel Connect(LeaderNode node) => GrpcChannel.ForAddress(
            $"http://{node.Address}", new GrpcChannelOptions { HttpHandler = Transport(), DisposeHttpClient = true });

        public static Task<Server> StartAsync(RpcException failure, bool last = false) => StartAsync([_ => throw failure], last);

        public static Task<Server> StartAsync(RpcException first, RpcException second, bool last = false) =>
            StartAsync([_ => throw first, _ => throw second], last);

        public static Task<Server> StartAsync(params Func<Func<string, Task>?, Task>[] failures) => StartAsync(failures, false);

        public Calls.CallsClient Client(Action<HaLeaderOptions>? configure = null) => new(Channel.WithHaRepeats(configure));

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
            Channel.Dispose();
            await _node.DisposeAsync();
        }

        private static async Task<Server> StartAsync(IEnumerable<Func<Func<string, Task>?, Task>> failures, bool last)
        {
            var server = new Server(failures, last);
            server._node = await LeaderNode.StartAsync("a", new LeaderNodeSetup { Health = HealthKind.None, Method = server.RunAsync });
            server.Channel = Connect(server._node);
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
