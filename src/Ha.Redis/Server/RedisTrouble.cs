using StackExchange.Redis;

namespace Ha.Redis.Server;

/// <summary>Errors of the server and of the way to it, in the words of people who can do something about them. Never a password.</summary>
internal static class RedisTrouble
{
    private const string WrongPassword = "refuses the connection: wrong user or password, or none was given.";

    public static InvalidOperationException Explain(Exception e, string where, ConnectionMultiplexer? redis) =>
        new($"Redis {where} {Say(e, redis)}", e);

    /// <summary>True when there is a server, but none that takes writes.</summary>
    public static bool IsReplica(Exception e, ConnectionMultiplexer? redis) =>
        e is RedisServerException { Kind: RedisErrorKind.ReadOnly } || (e is RedisConnectionException && HasReplicasOnly(redis));

    private static string Say(Exception e, ConnectionMultiplexer? redis) =>
        IsReplica(e, redis)
            ? "is a replica and takes no writes. A lease needs the primary: name all hosts, or the sentinels with serviceName=."
            : e switch
            {
                RedisServerException server => Say(server),
                RedisTimeoutException => "does not answer in time.",
                RedisConnectionException connection => Say(connection),
                _ => $"failed: {e.Message}",
            };

    private static string Say(RedisServerException e) => e.Kind switch
    {
        RedisErrorKind.OutOfMemory => "is out of memory (maxmemory) and takes no writes. Give it more, or a database of its own for leases.",
        RedisErrorKind.Loading => "is loading its data after a start and answers soon.",
        RedisErrorKind.Misconfigured => $"cannot write to its disk and takes no writes: {e.Message}",
        RedisErrorKind.NoAuth or RedisErrorKind.WrongPass => WrongPassword,
        RedisErrorKind.NoPermission or RedisErrorKind.NotPermitted =>
            $"denies a right. The user needs those that docs/stores/redis.md lists. It says: {e.Message}",
        RedisErrorKind.MaxClients => "has as many connections as it takes (maxclients).",
        RedisErrorKind.NoReplicas => $"has too few replicas to take writes (min-replicas-to-write): {e.Message}",
        RedisErrorKind.Busy => "runs somebody's script that does not end.",
        RedisErrorKind.ClusterDown => $"is a cluster with a slot that nobody serves: {e.Message}",
        RedisErrorKind.WrongType => "has a key of ours with something else in it. Name another key after a slash in BASE_LEASE_STORE.",
        _ => $"answers with an error: {e.Message}",
    };

    private static string Say(RedisConnectionException e)
    {
        // The first says that there is no connection, those inside it why.
        var causes = Causes(e).ToList();
        return causes.Exists(cause => cause is RedisConnectionException { FailureType: ConnectionFailureType.AuthenticationFailure })
            ? WrongPassword
            : $"is not connected ({causes.OfType<RedisConnectionException>().Last().FailureType}).";
    }

    private static IEnumerable<Exception> Causes(Exception? e)
    {
        for (; e is not null; e = e.InnerException)
        {
            yield return e;
        }
    }

    private static bool HasReplicasOnly(ConnectionMultiplexer? redis)
    {
        var connected = redis?.GetServers().Where(server => server.IsConnected).ToList();
        return connected is { Count: > 0 } && connected.TrueForAll(server => server.IsReplica);
    }
}
