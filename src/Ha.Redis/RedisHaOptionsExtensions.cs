using Ha;
using Ha.Redis;
using StackExchange.Redis;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Leases in Redis.</summary>
public static class RedisHaOptionsExtensions
{
    private const string Scheme = "redis";

    /// <summary>
    /// Makes <c>BASE_LEASE_STORE=redis:…</c> work, with a configuration of StackExchange.Redis after the colon and, if it must be, a
    /// slash and the key; see <see cref="RedisLeaseStore"/>. Nothing happens where that key says something else.
    /// </summary>
    /// <param name="options">What <c>AddHa</c> gives to its delegate.</param>
    /// <param name="configure">Adds what a text cannot say, such as certificates; called once, when the store is made.</param>
    /// <returns><paramref name="options"/>.</returns>
    public static HaOptions UseRedis(this HaOptions options, Action<ConfigurationOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.LeaseStores[Scheme] = context =>
            WrongSettings.Checked(() => new RedisLeaseStore(context.Value, context.ClusterId, context.Lease, configure));
        return options;
    }
}
