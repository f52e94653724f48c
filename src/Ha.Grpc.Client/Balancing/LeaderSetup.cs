using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Client.Balancer;
using Grpc.Net.Client.Configuration;
using Ha.Grpc.Client.Resolving;
using Microsoft.Extensions.Options;

namespace Ha.Grpc.Client.Balancing;

/// <summary>Puts the resolver, the balancer and the handler between them and the connections into the options of a channel.</summary>
internal static class LeaderSetup
{
    // The runtime waits for ever, and a node that is gone without a word would hold up its place in the list for minutes.
    public static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(2);

    // A connection that died without a word ends its calls after twice this.
    private static readonly TimeSpan _ping = TimeSpan.FromSeconds(2);

    private static readonly Lock _tuning = new();

    /// <param name="channel">As the application wants it; nothing of it may change afterwards.</param>
    /// <param name="options">Validated.</param>
    /// <param name="end">Ends all watches, since the client factory disposes of no channel.</param>
    public static void Apply(GrpcChannelOptions channel, HaLeaderOptions options, CancellationToken end)
    {
        if (channel.HttpClient is not null)
        {
            throw new InvalidOperationException(
                "The channel has a GrpcChannelOptions.HttpClient, whose connections cannot be told apart: "
                + "set HttpHandler to a SocketsHttpHandler.");
        }

        if (channel.ServiceConfig?.MethodConfigs.Any(Repeats) == true)
        {
            throw new InvalidOperationException(
                "The channel's ServiceConfig has a RetryPolicy or HedgingPolicy, which sends again what may have been executed and then "
                + "passes for what was not: remove it, and name what may run twice in HaLeaderOptions.IdempotentMethods.");
        }

        if (channel.HttpHandler is null)
        {
            channel.HttpHandler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true, UseProxy = false };
            channel.DisposeHttpClient = true;
        }

        channel.Credentials ??= ChannelCredentials.SecureSsl;
        channel.ServiceConfig ??= new ServiceConfig();
        if (channel.ServiceConfig.LoadBalancingConfigs.Count == 0)
        {
            channel.ServiceConfig.LoadBalancingConfigs.Add(new LoadBalancingConfig(LeaderBalancerFactory.Policy));
        }

        var connectTimeout = Tune(channel.HttpHandler);
        var handler = new NodeHandler(channel.HttpHandler);
        channel.HttpHandler = handler;
        channel.ServiceProvider = new ChannelServices(
            channel.ServiceProvider,
            new NodeResolverFactory(options, handler, end),
            new LeaderBalancerFactory(options, new HttpMessageInvoker(handler, disposeHandler: false), connectTimeout, end));
    }

    /// <returns>How long an attempt to connect may take.</returns>
    private static TimeSpan Tune(HttpMessageHandler handler)
    {
        try
        {
            lock (_tuning)
            {
                DelegatingHandler? last = null;
                while (handler is DelegatingHandler { InnerHandler: { } inner } outer)
                {
                    (last, handler) = (outer, inner);
                }

                if (handler is SocketsHttpHandler sockets)
                {
                    Tune(sockets);
                    if (last is not (null or OnePassage))
                    {
                        last.InnerHandler = new OnePassage(sockets);
                    }

                    return sockets.ConnectTimeout;
                }

                return ConnectTimeout;
            }
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidOperationException(
                "The channel's HttpHandler is in use already, without the settings that a leader's channel needs: give it a handler of its "
                + "own, or call UseHaLeader() before its first use.",
                error);
        }
    }

    private static void Tune(SocketsHttpHandler sockets)
    {
        if (sockets.ConnectTimeout == Timeout.InfiniteTimeSpan)
        {
            sockets.ConnectTimeout = ConnectTimeout;
        }

        if (sockets.KeepAlivePingDelay == Timeout.InfiniteTimeSpan)
        {
            (sockets.KeepAlivePingDelay, sockets.KeepAlivePingTimeout) = (_ping, _ping);
        }

        if (!sockets.EnableMultipleHttp2Connections)
        {
            sockets.EnableMultipleHttp2Connections = true;
        }
    }

    private static bool Repeats(MethodConfig method) => method.RetryPolicy is not null || method.HedgingPolicy is not null;

    /// <summary>What the channel finds beside the application's services.</summary>
    private sealed class ChannelServices(IServiceProvider? others, ResolverFactory resolver, LoadBalancerFactory balancer)
        : IServiceProvider
    {
        public object? GetService(Type serviceType) =>
            serviceType == typeof(IEnumerable<ResolverFactory>) ? With(resolver)
            : serviceType == typeof(IEnumerable<LoadBalancerFactory>) ? With(balancer)
            : others?.GetService(serviceType);

        private T[] With<T>(T ours) =>
            [ours, .. (IEnumerable<T>?)others?.GetService(typeof(IEnumerable<T>)) ?? []];
    }
}

/// <summary>Refuses options that are out of range when a client of the factory is created.</summary>
internal sealed class LeaderOptionsValidator : IValidateOptions<HaLeaderOptions>
{
    public ValidateOptionsResult Validate(string? name, HaLeaderOptions options) =>
        options.Fault() is { } fault ? ValidateOptionsResult.Fail(fault) : ValidateOptionsResult.Success;
}

/// <summary>Ends with the application's services: then nobody calls any more, and the client factory lets its channels live on.</summary>
internal sealed class ChannelsEnd : IDisposable
{
    private readonly CancellationTokenSource _end = new();

    public CancellationToken Token => _end.Token;

    public void Dispose()
    {
        _end.Cancel();
        _end.Dispose();
    }
}
