using StackExchange.Redis;

namespace Ha.Redis.Server;

/// <summary>Errors of the server and of the way to it, in the words of people who can do something about them. Never a password.</summary>
internal static class RedisTrouble
{
    public static InvalidOperationException Explain(Exception e, string where, ConnectionMultiplexer? redis, ConnectionFailedEventArgs? lastFailure) =>
        new($"Redis {where} {Say(e, redis, lastFailure)}", e);

    /// <summary>True when there is a server, but none that takes writes.</summary>
    public static bool IsReplica(Exception e, ConnectionMultiplexer? redis) =>
        e is RedisServerException { Kind: RedisErrorKind.ReadOnly } || (e is RedisConnectionException && HasReplicasOnly(redis));

    private static string Say(Exception e, ConnectionMultiplexer? redis, ConnectionFailedEventArgs? lastFailure) =>
        IsReplica(e, redis)
            ? "is a replica and takes no writes. A lease needs the primary: name all hosts, or the sentinels with serviceName=."
            : e switch
            {
                RedisServerException server => Say(server),
                RedisTimeoutException => "does not answer in time.",
                RedisConnectionException when IsRefusal(lastFailure) =>
                    $"refuses the connection: wrong user or password, or no rights ({lastFailure!.FailureType}).",
                RedisConnectionException connection => $"is not connected ({Cause(connection, lastFailure)}).",
                _ => $"failed: {e.Message}",
            };

    private static string Say(RedisServerException e) => e.Kind switch
    {
        RedisErrorKind.OutOfMemory => "is out of memory (maxmemory) and takes no writes. Give it more, or a database of its own for leases.",
        RedisErrorKind.Loading => "is loading its data after a start and answers soon.",
        RedisErrorKind.Misconfigured => $"cannot write to its disk and takes no writes: {e.Message}",
        RedisErrorKind.NoAuth or RedisErrorKind.WrongPass => "refuses the connection: wrong user or password, or none was given.",
        RedisErrorKind.NoPermission or RedisErrorKind.NotPermitted =>
            $"denies a right. The user needs those that docs/stores/redis.md lists. It says: {e.Message}",
        RedisErrorKind.MaxClients => "has as many connections as it takes (maxclients).",
        RedisErrorKind.NoReplicas => $"has too few replicas to take writes (min-replicas-to-write): {e.Message}",
        RedisErrorKind.Busy => "runs somebody's script that does not end.",
        RedisErrorKind.ClusterDown => $"is a cluster with a slot that nobody serves: {e.Message}",
        RedisErrorKind.WrongType => "has a key of ours with something else in it. Name another key after a slash in BASE_LEASE_STORE.",
        _ => $"answers with an error: {e.Message}",
    };

    private static bool IsRefusal(ConnectionFailedEventArgs? failure) => failure?.FailureType == ConnectionFailureType.AuthenticationFailure;

    private static string Cause(RedisConnectionException e, ConnectionFailedEventArgs? lastFailure) =>
        $"{lastFailure?.FailureType ?? e.FailureType}";

    private static bool HasReplicasOnly(ConnectionMultiplexer? redis)
    {
        var connected = redis?.GetServers().Where(server => server.IsConnected).ToList();
        return connected is { Count: > 0 } && connected.TrueForAll(server => server.IsReplica);
    }
}
