using System.Globalization;
using System.Net;
using StackExchange.Redis;

namespace Ha.Redis.Server;

/// <summary>What follows <c>redis:</c>, read.</summary>
/// <param name="Options">How to connect.</param>
/// <param name="Key">Where the record is.</param>
/// <param name="Where">The hosts, for people.</param>
internal sealed record RedisLeaseConfiguration(ConfigurationOptions Options, string Key, string Where)
{
    private const string NoUrl =
        "BASE_LEASE_STORE=redis: is followed by a configuration of StackExchange.Redis (redis:HOST:6379,user=NAME,password=…), not by a URL; "
        + "what stands in place of a host there is none.";

    private const string Common = "connectRetry=1,keepAlive=5,configCheckSeconds=5,name=ha";

    private static readonly TimeSpan _longestConnect = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _shortestConnect = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan _longestLook = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _shortestLook = TimeSpan.FromMilliseconds(50);

    public string Channel => $"{Key}:changed";

    public static RedisLeaseConfiguration Parse(string text, string clusterId, TimeSpan lease, Action<ConfigurationOptions>? configure)
    {
        var (connection, key) = Split(text);
        var options = Read(connection, lease);
        if (!options.EndPoints.All(IsHost))
        {
            throw new ArgumentException(NoUrl, nameof(text));
        }

        configure?.Invoke(options);
        if (options.EndPoints.Count == 0)
        {
            throw new ArgumentException(
                "BASE_LEASE_STORE=redis: names no host: redis:HOST:6379[,HOST:6379…][,user=NAME,password=…][,ssl=true][/KEY].", nameof(text));
        }

        Settle(options, lease);
        var where = string.Join(", ", options.EndPoints.Select(Say));
        where += options.DefaultDatabase is > 0 and var number ? $" database {number}" : "";
        return new RedisLeaseConfiguration(options, key.Length > 0 ? InOneSlot(key) : $"ha:{{{clusterId}}}", where);
    }

    /// <summary>
    /// The key is shown and logged, and so are hosts. Neither may be a piece of a password, so where a slash or a comma might be one of
    /// the password's own, nothing is guessed.
    /// </summary>
    private static (string Connection, string Key) Split(string text)
    {
        var pieces = text.Split(',');
        if (pieces.Any(piece => !IsOption(piece) && (piece.Contains('@', StringComparison.Ordinal) || piece.Contains("//", StringComparison.Ordinal))))
        {
            // Cut at its last slash it would not look like one any more.
            throw new ArgumentException(NoUrl, nameof(text));
        }

        var secret = Array.FindIndex(pieces, IsSecret);
        if (secret >= 0 && Array.FindIndex(pieces, secret, piece => !IsOption(piece)) >= 0)
        {
            throw new ArgumentException(
                "BASE_LEASE_STORE=redis: has something without an equals sign after user= or password=. Hosts stand first; a password that holds "
                + "a comma is set in code: UseRedis(o => o.Password = …).", nameof(text));
        }

        var slash = pieces[^1].LastIndexOf('/');
        if (slash >= 0 && IsSecret(pieces[^1]))
        {
            throw new ArgumentException(
                "BASE_LEASE_STORE=redis: ends with a user or a password that holds a slash, which might as well begin the key. Write another option "
                + "behind it: redis:HOST:6379,password=…,ssl=true or redis:HOST:6379,password=…,ssl=true/KEY.", nameof(text));
        }

        var key = slash < 0 ? "" : pieces[^1][(slash + 1)..];
        return key.Contains('=', StringComparison.Ordinal)
            ? throw new ArgumentException("The key after the last slash of BASE_LEASE_STORE=redis: holds an equals sign.", nameof(text))
            : (slash < 0 ? text : text[..^(key.Length + 1)], key);
    }

    private static bool IsOption(string piece) => piece.Trim().IndexOf('=', StringComparison.Ordinal) > 0 || string.IsNullOrWhiteSpace(piece);

    private static bool IsSecret(string piece) =>
        piece.Split('=', 2) is [var name, _] && name.Trim() is var option
        && (option.Equals("user", StringComparison.OrdinalIgnoreCase) || option.Equals("password", StringComparison.OrdinalIgnoreCase));

    /// <summary>The client takes anything for a name, a URL with its password too.</summary>
    private static bool IsHost(EndPoint host) => host is not DnsEndPoint dns || Uri.CheckHostName(dns.Host) == UriHostNameType.Dns;

    /// <summary>What the text does not say follows from the lease: a call that takes longer has no use.</summary>
    private static ConfigurationOptions Read(string hosts, TimeSpan lease)
    {
        var connect = Between(lease, _shortestConnect, _longestConnect);
        var call = Between(lease, TimeSpan.FromMilliseconds(100), _longestConnect);
        try
        {
            return ConfigurationOptions.Parse(string.Create(
                CultureInfo.InvariantCulture,
                $"connectTimeout={connect.TotalMilliseconds:F0},asyncTimeout={call.TotalMilliseconds:F0},{Common},{hosts}"));
        }
        catch (Exception e) when (e is ArgumentException or FormatException or OverflowException)
        {
            // Without the cause: it may repeat what it read, a password too.
#pragma warning disable MA0054
            throw new ArgumentException(
                "What follows BASE_LEASE_STORE=redis: is no configuration of StackExchange.Redis (HOST:6379,user=NAME,password=…).", nameof(hosts));
#pragma warning restore MA0054
        }
    }

    /// <summary>What a lease needs, whatever was written.</summary>
    private static void Settle(ConfigurationOptions options, TimeSpan lease)
    {
        options.SetDefaultPorts();
        options.AbortOnConnectFail = false;

        // Nothing waits in a queue while the server is away: it would be written when nobody wants it any more.
        options.BacklogPolicy = BacklogPolicy.FailFast;

        // Looks for lost connections, and tries again, in time for a lease.
        var look = Between(lease / 6, _shortestLook, _longestLook);
        options.HeartbeatInterval = look;
        options.ReconnectRetryPolicy = new LinearRetry((int)look.TotalMilliseconds);

        // A key and a channel that a user with few rights may not touch, and nobody needs.
        options.TieBreaker = "";
        options.ConfigurationChannel = "";
        options.IncludeDetailInExceptions = false;
    }

    /// <summary>A key with a hash tag of its own keeps it; any other becomes one, so that what is added behind does not change the slot.</summary>
    private static string InOneSlot(string key)
    {
        var open = key.IndexOf('{', StringComparison.Ordinal);
        return open >= 0 && key.IndexOf('}', open) > open + 1 ? key : $"{{{key}}}";
    }

    private static string Say(EndPoint host) => host is DnsEndPoint dns ? $"{dns.Host}:{dns.Port}" : $"{host}";

    private static TimeSpan Between(TimeSpan value, TimeSpan least, TimeSpan most) => value < least ? least : value > most ? most : value;
}
