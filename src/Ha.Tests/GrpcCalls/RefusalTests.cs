using Grpc.Core;
using Grpc.Core.Interceptors;
using Ha.Tests.Forwarding;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.GrpcCalls;

/// <summary>What clients see of calls that a method refuses, for all four kinds.</summary>
public sealed class RefusalTests
{
    private const string Elsewhere = "http://elsewhere.example:8080";

    public static TheoryData<MethodType> Kinds { get; } = new(Enum.GetValues<MethodType>());

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_call_that_succeeds_is_left_alone(MethodType kind)
    {
        await using var node = await CallsNode.StartAsync((texts, _, _) => Task.FromResult(string.Concat(texts)), Leading());
        var outcome = await node.CallAsync(kind);
        Assert.Equal("OK", outcome.Line);
        Assert.Equal([kind is MethodType.ClientStreaming or MethodType.DuplexStreaming ? "ab" : "a"], outcome.Told);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Not_the_leader_is_unavailable_and_retriable(MethodType kind)
    {
        await using var node = await CallsNode.StartAsync(NotLeader(), Leading());
        var outcome = await node.CallAsync(kind);
        Assert.Equal("Unavailable true", outcome.Line);
        Assert.Equal("not leader", outcome.Status.Detail);
        Assert.Equal("1", (outcome.Headers.Get("x-base-not-executed") ?? outcome.Trailers.Get("x-base-not-executed"))?.Value);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task An_outcome_that_is_unknown_is_not_retriable(MethodType kind)
    {
        await using var node = await CallsNode.StartAsync((_, _, _) => throw new OutcomeUnknownException("secret"), Leading());
        var outcome = await node.CallAsync(kind);
        Assert.Equal("Unknown false", outcome.Line);
        Assert.Equal("outcome unknown", outcome.Status.Detail);
        Assert.Null(outcome.Trailers.Get("x-base-not-executed"));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task The_leader_that_the_method_names_is_in_the_trailers(MethodType kind)
    {
        await using var node = await CallsNode.StartAsync(NotLeader(Elsewhere, 7), Leading());
        Assert.Equal($"Unavailable true {Elsewhere} 7", (await node.CallAsync(kind)).Line);
    }

    [Fact]
    public async Task So_is_the_one_that_took_over_while_the_method_ran()
    {
        var leadership = Leading();
        await using var node = await CallsNode.StartAsync(
            (_, _, _) =>
            {
                leadership.Follow(Elsewhere, epoch: 9);
                throw new NotLeaderException();
            },
            leadership);
        Assert.Equal($"Unavailable true {Elsewhere} 9", (await node.CallAsync(MethodType.Unary)).Line);
    }

    [Theory]
    [InlineData(MethodType.Unary, ForwardMode.Redirect)]
    [InlineData(MethodType.Unary, ForwardMode.Proxy)]
    [InlineData(MethodType.DuplexStreaming, ForwardMode.Redirect)]
    public async Task Nobody_is_told_of_the_leader_where_information_is_not_public(MethodType kind, ForwardMode mode)
    {
        await using var node = await CallsNode.StartAsync(
            NotLeader(Elsewhere, 7),
            Leading(),
            builder => builder.Services.AddHa(o => (o.PublicInfo, o.ForwardMode) = (false, mode)));
        var outcome = await node.CallAsync(kind);
        Assert.Equal("Unavailable true", outcome.Line);
        Assert.DoesNotContain("elsewhere", string.Join(' ', outcome.Trailers), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task The_same_is_said_where_the_plugin_is_off(MethodType kind)
    {
        await using var node = await CallsNode.StartAsync(NotLeader(Elsewhere, 7), leadership: null);
        Assert.Equal($"Unavailable true {Elsewhere} 7", (await node.CallAsync(kind)).Line);
        await using var unknown = await CallsNode.StartAsync((_, _, _) => throw new OutcomeUnknownException(), leadership: null);
        Assert.Equal("Unknown false", (await unknown.CallAsync(kind)).Line);
    }

    [Theory]
    [InlineData(MethodType.ServerStreaming)]
    [InlineData(MethodType.DuplexStreaming)]
    public async Task After_the_first_answer_the_trailers_say_it(MethodType kind)
    {
        await using var node = await CallsNode.StartAsync(
            async (_, answer, context) =>
            {
                context.ResponseTrailers.Add("of-the-app", "kept");
                await answer!("half");
                throw new NotLeaderException { LeaderUrl = Elsewhere, Epoch = 7 };
            },
            Leading());
        var outcome = await node.CallAsync(kind);
        Assert.Equal($"Unavailable true {Elsewhere} 7", outcome.Line);
        Assert.Equal("kept", outcome.Trailers.GetValue("of-the-app"));
        Assert.Equal(["half"], outcome.Told);
    }

    [Theory]
    [InlineData(MethodType.Unary, false)]
    [InlineData(MethodType.Unary, true)]
    [InlineData(MethodType.ClientStreaming, false)]
    [InlineData(MethodType.ServerStreaming, false)]
    [InlineData(MethodType.DuplexStreaming, true)]
    public async Task A_node_that_forwarded_the_call_tries_it_again(MethodType kind, bool useHa)
    {
        var runs = 0;
        await using var leader = await CallsNode.StartAsync(
            (texts, _, _) => Interlocked.Increment(ref runs) < 3 ? throw new NotLeaderException() : Task.FromResult(string.Concat(texts)),
            Leading(),
            useHa: useHa);
        await using var follower = await FollowerAsync(leader);

        var outcome = await follower.CallAsync(kind);

        Assert.Equal("OK", outcome.Line);
        Assert.Equal([kind is MethodType.ClientStreaming or MethodType.DuplexStreaming ? "ab" : "a"], outcome.Told);
        Assert.Equal(3, runs);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_node_that_forwarded_the_call_does_not_try_again_what_may_have_been_executed(MethodType kind)
    {
        var runs = 0;
        await using var leader = await CallsNode.StartAsync(
            (_, _, _) =>
            {
                runs++;
                throw new OutcomeUnknownException();
            },
            Leading());
        await using var follower = await FollowerAsync(leader);
        Assert.Equal("Unknown false", (await follower.CallAsync(kind)).Line);
        Assert.Equal(1, runs);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task An_answer_that_comes_after_the_lease_is_not_confirmed(MethodType kind)
    {
        var leadership = Leading();
        await using var node = await CallsNode.StartAsync(
            (_, _, _) =>
            {
                leadership.LoseLeader();
                return Task.FromResult("committed");
            },
            leadership);
        var outcome = await node.CallAsync(kind);
        Assert.Equal("Unknown false", outcome.Line);
        Assert.Empty(outcome.Told);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task What_was_cancelled_with_the_lease_may_have_been_executed(MethodType kind)
    {
        var leadership = Leading();
        await using var node = await CallsNode.StartAsync(
            async (_, _, context) =>
            {
                var lost = context.GetHttpContext().Features.Get<IHaFeature>()!.LeaseLost;
                leadership.LoseLeader();
                await Task.Delay(Timeout.InfiniteTimeSpan, lost);
                return "never";
            },
            leadership);
        Assert.Equal("Unknown false", (await node.CallAsync(kind)).Line);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task An_interceptor_of_the_application_that_makes_its_own_error_of_everything_changes_nothing(MethodType kind)
    {
        await using var node = await CallsNode.StartAsync(
            NotLeader(), Leading(), builder => builder.Services.AddGrpc(o => o.Interceptors.Add<Blurring>()));
        Assert.Equal("Unavailable true", (await node.CallAsync(kind)).Line);
    }

    [Fact]
    public async Task What_an_interceptor_of_the_application_throws_after_the_method_counts_too()
    {
        await using var node = await CallsNode.StartAsync(
            (_, _, _) => Task.FromResult("done"), Leading(), builder => builder.Services.AddGrpc(o => o.Interceptors.Add<Committing>()));
        Assert.Equal("Unavailable true", (await node.CallAsync(MethodType.Unary)).Line);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Errors_of_the_application_reach_the_client_with_their_marks_and_trailers(MethodType kind)
    {
        var error = new RpcException(new Status(StatusCode.Aborted, "later"), new Metadata { { "of-the-app", "kept" } }).MarkRetriable();
        await using var leader = await CallsNode.StartAsync((_, _, _) => throw error, Leading());
        await using var follower = await FollowerAsync(leader);
        foreach (var node in new[] { leader, follower })
        {
            var outcome = await node.CallAsync(kind);
            Assert.Equal("Aborted true", outcome.Line);
            Assert.Equal(("later", "kept"), (outcome.Status.Detail, outcome.Trailers.GetValue("of-the-app")));
            Assert.Null(outcome.Trailers.Get("x-base-not-executed"));
        }
    }

    [Fact]
    public async Task A_call_that_no_leader_takes_in_time_is_retriable()
    {
        await using var node = await CallsNode.StartAsync(
            NotLeader(), new FakeLeadership("b"), builder => builder.Services.AddHa(o => o.WriteHold = TimeSpan.Zero));
        Assert.Equal("Unavailable true", (await node.CallAsync(MethodType.Unary)).Line);
    }

    private static FakeLeadership Leading() => new FakeLeadership("a").Lead();

    private static CallsMethod NotLeader(string? leader = null, long? epoch = null) =>
        (_, _, _) => throw new InvalidOperationException("wrapped", new NotLeaderException { LeaderUrl = leader, Epoch = epoch });

    private static Task<CallsNode> FollowerAsync(CallsNode leader) =>
        CallsNode.StartAsync((_, _, _) => throw new InvalidOperationException("ran on the follower"), new FakeLeadership("b").Follow(leader.Url));

    /// <summary>As applications have them, to hide what went wrong.</summary>
    private sealed class Blurring : Interceptor
    {
        private static RpcException Blurred => new(new Status(StatusCode.Internal, "sorry"));

        public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
            TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
        {
            try
            {
                return await continuation(request, context);
            }
            catch (Exception)
            {
                throw Blurred;
            }
        }

        public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
            IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
        {
            try
            {
                return await continuation(requestStream, context);
            }
            catch (Exception)
            {
                throw Blurred;
            }
        }

        public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
            TRequest request,
            IServerStreamWriter<TResponse> responseStream,
            ServerCallContext context,
            ServerStreamingServerMethod<TRequest, TResponse> continuation)
        {
            try
            {
                await continuation(request, responseStream, context);
            }
            catch (Exception)
            {
                throw Blurred;
            }
        }

        public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
            IAsyncStreamReader<TRequest> requestStream,
            IServerStreamWriter<TResponse> responseStream,
            ServerCallContext context,
            DuplexStreamingServerMethod<TRequest, TResponse> continuation)
        {
            try
            {
                await continuation(requestStream, responseStream, context);
            }
            catch (Exception)
            {
                throw Blurred;
            }
        }
    }

    /// <summary>As a transaction around each method, whose fence refuses.</summary>
    private sealed class Committing : Interceptor
    {
        public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
            TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
        {
            await continuation(request, context);
            throw new NotLeaderException();
        }
    }
}
