using Ha.Redis.Server;
using StackExchange.Redis;

namespace Ha.Tests.Stores.Redis;

public sealed class RedisTroubleTests
{
    [Theory]
    [InlineData(RedisErrorKind.ReadOnly, "is a replica and takes no writes")]
    [InlineData(RedisErrorKind.OutOfMemory, "is out of memory (maxmemory)")]
    [InlineData(RedisErrorKind.Loading, "is loading its data after a start")]
    [InlineData(RedisErrorKind.Misconfigured, "cannot write to its disk")]
    [InlineData(RedisErrorKind.NoAuth, "wrong user or password")]
    [InlineData(RedisErrorKind.WrongPass, "wrong user or password")]
    [InlineData(RedisErrorKind.NoPermission, "docs/stores/redis.md")]
    [InlineData(RedisErrorKind.MaxClients, "(maxclients)")]
    [InlineData(RedisErrorKind.NoReplicas, "(min-replicas-to-write)")]
    [InlineData(RedisErrorKind.Busy, "somebody's script")]
    [InlineData(RedisErrorKind.ClusterDown, "a slot that nobody serves")]
    [InlineData(RedisErrorKind.WrongType, "Name another key")]
    [InlineData(RedisErrorKind.UnknownError, "answers with an error: the server's words")]
    public void Each_error_says_what_it_means(RedisErrorKind kind, string says)
    {
        var cause = new RedisServerException(kind, CommandFlags.None, "the server's words");
        var e = RedisTrouble.Explain(cause, "db:6379", redis: null);
        Assert.StartsWith("Redis db:6379 ", e.Message, StringComparison.Ordinal);
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        Assert.Same(cause, e.InnerException);
    }
}
