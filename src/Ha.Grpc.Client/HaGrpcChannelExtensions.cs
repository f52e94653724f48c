using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Ha.Grpc.Client.Balancing;
using Ha.Grpc.Client.Repeating;

namespace Ha.Grpc.Client;

/// <summary>Calls to the leader for applications that make their channels by themselves.</summary>
public static class HaGrpcChannelExtensions
{
    /// <summary>
    /// Lets a channel to an address such as <c>ha:///a:5001,b:5001</c> send its calls to the leader. Call it last: it takes the handler,
    /// the credentials and the service config as they are by then, makes what is missing (a handler; TLS) and sets the handler's connect
    /// timeout, HTTP/2 pings and number of connections where they still have the runtime's defaults.
    /// </summary>
    /// <param name="channel">For <c>GrpcChannel.ForAddress</c>; for one channel.</param>
    /// <param name="configure">Sets what differs from the defaults.</param>
    /// <returns><paramref name="channel"/>.</returns>
    /// <exception cref="InvalidOperationException">
    /// An option is out of range; or the channel has an <c>HttpClient</c>, a policy that retries or hedges, or a handler that is in use.
    /// </exception>
    public static GrpcChannelOptions UseHaLeader(this GrpcChannelOptions channel, Action<HaLeaderOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(channel);
        LeaderSetup.Apply(channel, Configured(configure), CancellationToken.None);
        return channel;
    }

    /// <summary>What clients of a channel are made with, so that their calls are repeated where nothing was executed.</summary>
    /// <param name="channel">Any channel; the errors of servers without the plugin carry no marks and are not repeated.</param>
    /// <param name="configure">Sets what differs from the defaults. Only what is about repeats counts here.</param>
    /// <exception cref="InvalidOperationException">An option is out of range.</exception>
    public static CallInvoker WithHaRepeats(this GrpcChannel channel, Action<HaLeaderOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(channel);
        return channel.Intercept(new RepeatInterceptor(Configured(configure)));
    }

    private static HaLeaderOptions Configured(Action<HaLeaderOptions>? configure)
    {
        var options = new HaLeaderOptions();
        configure?.Invoke(options);
        return options.Fault() is { } fault ? throw new InvalidOperationException(fault) : options;
    }
}
