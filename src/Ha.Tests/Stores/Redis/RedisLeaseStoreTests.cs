using Ha.Leases;
using Ha.Redis;
using Ha.Tests.Support;

namespace Ha.Tests.Stores.Redis;

/// <summary>A real server that is killed, slow, full, closed, or somebody else.</summary>
public sealed class RedisLeaseStoreTests : IAsyncLifetime
{
    private static readonly TimeSpan _lease = TimeSpan.FromSeconds(1.5);
    private static readonly LeaseMember _a = new() { NodeId = "a", Incarnation = new string('a', 32), Url = "http://a", Eligible = true };
    private static readonly LeaseMember _b = new() { NodeId = "b", Incarnation = new string('b', 32), Url = "http://b", Eligible = true };

    private readonly List<IAsyncDisposable> _stores = [];
    private readonly List<RedisServer> _servers = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var store in _stores)
        {
            await store.DisposeAsync();
        }

        foreach (var server in _servers)
        {
            await server.DisposeAsync();
        }
    }

    [FactIfRedis]
    public async Task Killed_with_an_append_only_file_that_is_synced_each_time_it_knows_everything_again()
    {
        var server = await ServerAsync("--appendonly", "yes", "--appendfsync", "always");
        var store = Store(server);
        var version = await ClaimAsync(store, _a, epoch: 7);
        await server.KillAsync();
        await server.StartAgainAsync();

        var answer = await AnswerAsync(store, _b);
        Assert.Equal(version, answer.Version);
        Assert.Equal(Held(_a, 7), answer.Record);
    }

    [FactIfRedis]
    public async Task Killed_without_persistence_it_knows_nothing_and_the_epoch_is_lost()
    {
        var server = await ServerAsync();
        var store = Store(server);
        var version = await ClaimAsync(store, _a, epoch: 7);
        await server.KillAsync();
        await server.StartAgainAsync();

        var answer = await AnswerAsync(store, _b);
        Assert.Null(answer.Record);

        // The holder of before learns that it lost, whatever was claimed since; epochs rise only by what members remember.
        Assert.False((await WriteAsync(store, Held(_a, 7), version, _a)).Written);
        Assert.True((await WriteAsync(store, Held(_b, 1), expected: null, _b)).Written);
    }

    /// <summary>What the documentation says of failovers: without the fence this is two leaders.</summary>
    [FactIfRedis]
    public async Task A_failover_that_loses_writes_makes_two_holders_and_forgets_an_epoch()
    {
        var primary = await ServerAsync();
        var replica = await ServerAsync("--replicaof", "127.0.0.1", $"{primary.Port}");
        var store = Store(primary);
        var released = Held(_a, 7) with { HolderId = null };
        var version = (await WriteAsync(store, released, expected: null, _a)).Version;
        await Eventually.True(async () => await replica.RunAsync("HGET", "ha:{shop}", "version") == version, what: "the replica follows");

        // It is promoted while the primary, that nobody else reaches, still answers; what it answers from here on is lost.
        await replica.RunAsync("REPLICAOF", "NO", "ONE");
        var claim = await WriteAsync(store, Held(_a, 8), version, _a);
        Assert.True(claim.Written);
        await primary.KillAsync();

        var after = Store(replica);
        var old = await AnswerAsync(after, _b);
        Assert.Equal((released, version), (old.Record, old.Version));
        var other = await WriteAsync(after, Held(_b, 8), old.Version, _b);

        // Both were told so within a moment, both with epoch 8.
        Assert.True(other.Written);
        Assert.False((await WriteAsync(after, Held(_a, 8), claim.Version, _a)).Written);
    }

    [FactIfRedis]
    public async Task A_deleted_record_is_shown_from_its_copy_and_its_holder_writes_it_anew_at_once()
    {
        var server = await ServerAsync();
        var store = Store(server);
        var version = await ClaimAsync(store, _a, epoch: 7);
        await server.RunAsync("DEL", "ha:{shop}");

        var refused = await WriteAsync(store, Held(_a, 7), version, _a);
        Assert.False(refused.Written);
        Assert.Equal(Held(_a, 7), refused.Record);
        Assert.NotEqual(version, refused.Version);
        Assert.True((await WriteAsync(store, Held(_a, 7), refused.Version, _a)).Written);
        Assert.Equal("7", await server.RunAsync("HGET", "ha:{shop}", "epoch"));
    }

    [FactIfRedis]
    public async Task With_record_and_copy_deleted_there_is_nothing()
    {
        var server = await ServerAsync();
        var store = Store(server);
        await ClaimAsync(store, _a, epoch: 7);
        await server.RunAsync("DEL", "ha:{shop}", "ha:{shop}:kept");
        Assert.Null((await AnswerAsync(store, _b)).Record);
    }

    [FactIfRedis]
    public async Task No_key_expires()
    {
        var server = await ServerAsync();
        await ClaimAsync(Store(server), _a, epoch: 7);
        Assert.Equal("3", await server.RunAsync("EXISTS", "ha:{shop}", "ha:{shop}:kept", "ha:{shop}:members"));
        Assert.Equal("3", await server.RunAsync("DBSIZE"));
        Assert.All(
            await Task.WhenAll(new[] { "ha:{shop}", "ha:{shop}:kept", "ha:{shop}:members" }.Select(key => server.RunAsync("TTL", key))),
            left => Assert.Equal("-1", left));
    }

    /// <summary>Waited for and overwritten as what no member writes, by its holder at the next renewal.</summary>
    [FactIfRedis]
    public async Task A_record_that_was_spoilt_by_hand_is_seen_as_nonsense_and_written_over()
    {
        var server = await ServerAsync();
        var store = Store(server);
        var version = await ClaimAsync(store, _a, epoch: 7);
        foreach (var edit in new[]
        {
            "HSET epoch seven", "HSET epoch -7", "HSET epoch 99999999999999999999", "HDEL epoch", "HSET duration_ms soon", "HSET duration_ms -1",
            "HSET duration_ms 9223372036854775807", "HSET duration_ms -9223372036854775808", "HDEL duration_ms", "HDEL incarnation",
        })
        {
            foreach (var holder in new[] { "a", "" })
            {
                var words = edit.Split(' ');
                await server.RunAsync("HSET", "ha:{shop}", "holder", holder);
                await server.RunAsync([words[0], "ha:{shop}", .. words[1..]]);
                var read = await store.ReadAsync(_b, CancellationToken.None);
                Assert.Equal((edit, LeaseState.Nonsense, version), (edit, Sighting.StateOf(read.Record), read.Version));
                var mended = await WriteAsync(store, Held(_a, 7), version, _a);
                Assert.True(mended.Written);
                version = mended.Version;
            }
        }
    }

    [FactIfRedis]
    public async Task A_time_that_was_spoilt_by_hand_is_none()
    {
        var server = await ServerAsync();
        var store = Store(server);
        var version = await ClaimAsync(store, _a, epoch: 7);
        foreach (var time in new[] { "noon", "-9223372036854775808", "9223372036854775807" })
        {
            await server.RunAsync("HSET", "ha:{shop}", "written_us", time);
            var read = await store.ReadAsync(_b, CancellationToken.None);
            Assert.Equal((version, null), (read.Version, read.Age));
        }
    }

    [FactIfRedis]
    public async Task Members_of_long_ago_are_forgotten()
    {
        var server = await ServerAsync();
        var store = Store(server);
        await ClaimAsync(store, _a, epoch: 7);
        var micros = (DateTimeOffset.UnixEpoch + TimeSpan.FromSeconds(1)).ToUnixTimeMilliseconds() * 1000;
        await server.RunAsync("HSET", "ha:{shop}:members", "gone 0c", $$"""{{micros}} {"url":"","target":"","eligible":true}""");
        await server.RunAsync("HSET", "ha:{shop}:members", "from-the-future 0d", """9000000000000000 {"url":"","target":"","eligible":true}""");
        await server.RunAsync("HSET", "ha:{shop}:members", "somebody's", "else");
        Assert.Equal(["a", "b"], (await AnswerAsync(store, _b)).Members!.Select(member => member.NodeId).Order(StringComparer.Ordinal));
        Assert.Equal("2", await server.RunAsync("HLEN", "ha:{shop}:members"));
    }

    [FactIfRedis]
    public async Task Scripts_that_were_flushed_are_sent_again()
    {
        var server = await ServerAsync();
        var store = Store(server);
        var version = await ClaimAsync(store, _a, epoch: 7);
        await server.RunAsync("SCRIPT", "FLUSH");
        Assert.True((await WriteAsync(store, Held(_a, 7), version, _a)).Written);
    }

    [FactIfRedis]
    public async Task A_call_is_one_command()
    {
        var server = await ServerAsync();
        var store = Store(server);
        var version = await ClaimAsync(store, _a, epoch: 7);
        await server.RunAsync("CONFIG", "RESETSTAT");
        for (var i = 0; i < 10; i++)
        {
            version = (await WriteAsync(store, Held(_a, 7), version, _a)).Version;
            await AnswerAsync(store, _b);
        }

        var stats = (await server.RunLinesAsync("INFO", "commandstats")).Where(line => line.StartsWith("cmdstat_eval", StringComparison.Ordinal));
        Assert.StartsWith("cmdstat_evalsha:calls=20,", Assert.Single(stats), StringComparison.Ordinal);
    }

    [FactIfRedis]
    public async Task A_paused_server_holds_nobody_beyond_its_token_and_then_goes_on()
    {
        var server = await ServerAsync();
        var store = Store(server);
        var version = await ClaimAsync(store, _a, epoch: 7);
        await server.RunAsync("CLIENT", "PAUSE", "60000", "WRITE");
        using var token = new CancellationTokenSource();
        var call = store.TryWriteAsync(Held(_a, 7), version, _a, token.Token);
        await token.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);

        // It was on its way and takes effect late, once.
        await server.RunAsync("CLIENT", "UNPAUSE");
        await Eventually.True(async () => (await AnswerAsync(store, _b)).Version != version, what: "the late write");
        Assert.Equal(Held(_a, 7), (await AnswerAsync(store, _b)).Record);
    }

    [FactIfRedis]
    public async Task A_server_that_does_not_answer_is_named_and_answers_again_later()
    {
        var server = await ServerAsync();
        var store = Store(server, lease: TimeSpan.FromMilliseconds(200));
        await ClaimAsync(store, _a, epoch: 7);
        server.Pause();
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => store.ReadAsync(_b, CancellationToken.None));
        Assert.Equal($"Redis {server.Address} does not answer in time.", e.Message);
        server.Resume();
        Assert.Equal(Held(_a, 7), (await AnswerAsync(store, _b)).Record);
    }

    [FactIfRedis]
    public async Task A_sleeping_server_is_waited_for_within_the_lease()
    {
        var server = await ServerAsync();
        var store = Store(server, lease: TimeSpan.FromSeconds(5));
        var version = await ClaimAsync(store, _a, epoch: 7);
        var sleep = server.RunAsync("DEBUG", "SLEEP", "0.5");
        Assert.True((await WriteAsync(store, Held(_a, 7), version, _a)).Written);
        await sleep;
    }

    [FactIfRedis]
    public async Task The_end_does_not_wait_for_a_server_that_does_not_answer()
    {
        var server = await ServerAsync();
        var store = Store(server);
        await ClaimAsync(store, _a, epoch: 7);
        server.Pause();
        var read = store.ReadAsync(_b, CancellationToken.None);
        await store.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10));
        await Assert.ThrowsAnyAsync<Exception>(() => read);
        server.Resume();
    }

    [FactIfRedis]
    public async Task While_the_server_is_away_calls_fail_at_once_and_once_it_is_back_they_work_and_waiters_wake()
    {
        var server = await ServerAsync();
        var store = Store(server);
        await ClaimAsync(store, _a, epoch: 7);
        var wait = store.WaitForChangeAsync(CancellationToken.None);
        await server.KillAsync();
        await Eventually.True(async () => await TroubleAsync(store) is not null, what: "the store notices");
        var began = TimeProvider.System.GetTimestamp();
        for (var i = 0; i < 100; i++)
        {
            Assert.Matches($"^Redis {server.Address} is not connected \\([A-Za-z]+\\)\\.$", (await TroubleAsync(store))!);
        }

        Assert.InRange(TimeProvider.System.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(5));
        await server.StartAgainAsync();
        began = TimeProvider.System.GetTimestamp();
        await AnswerAsync(store, _b);
        Assert.InRange(TimeProvider.System.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(10));
        await wait.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [FactIfRedis]
    public async Task A_server_that_comes_after_the_store_is_found()
    {
        var server = await ServerAsync();
        await server.KillAsync();
        var store = Store(server);
        Assert.Matches($"^Redis {server.Address} is not connected", (await TroubleAsync(store))!);
        await server.StartAgainAsync();
        Assert.Null((await AnswerAsync(store, _a)).Record);
    }

    [FactIfRedis]
    public async Task A_waiter_that_subscribed_before_a_restart_is_woken_by_writes_after_it()
    {
        var server = await ServerAsync();
        var (store, other) = (Store(server), Store(server));
        var wait = store.WaitForChangeAsync(CancellationToken.None);
        await Eventually.True(async () => await SubscribersAsync(server) == 1, what: "it listens");
        await server.KillAsync();
        await server.StartAgainAsync();
        await wait.WaitAsync(TimeSpan.FromSeconds(30));
        await Eventually.True(async () => await SubscribersAsync(server) == 1, what: "it listens again");
        var next = store.WaitForChangeAsync(CancellationToken.None);
        await AnswerAsync(other, _a);
        await ClaimAsync(other, _a, epoch: 7);
        await next.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [FactIfRedis]
    public async Task A_replica_is_refused_by_name_until_it_is_the_primary()
    {
        var primary = await ServerAsync();
        var replica = await ServerAsync("--replicaof", "127.0.0.1", $"{primary.Port}");
        var store = Store(replica);
        Assert.Equal(
            $"Redis {replica.Address} is a replica and takes no writes. A lease needs the primary: name all hosts, or the sentinels with serviceName=.",
            await TroubleAsync(store));
        await replica.RunAsync("REPLICAOF", "NO", "ONE");
        Assert.Null((await AnswerAsync(store, _a)).Record);
    }

    [FactIfRedis]
    public async Task A_primary_that_became_a_replica_is_left_for_the_new_one()
    {
        var (one, two) = (await ServerAsync(), await ServerAsync());
        await two.RunAsync("REPLICAOF", "127.0.0.1", $"{one.Port}");
        var store = Store($"{one.Address},{two.Address}");
        await ClaimAsync(store, _a, epoch: 7);
        await Eventually.True(async () => await two.RunAsync("HGET", "ha:{shop}", "epoch") == "7", what: "the replica follows");
        await two.RunAsync("REPLICAOF", "NO", "ONE");
        await one.RunAsync("REPLICAOF", "127.0.0.1", $"{two.Port}");
        var version = (await AnswerAsync(store, _b)).Version;
        Assert.True((await WriteAsync(store, Held(_a, 7), version, _a)).Written);
        Assert.Equal("7", await two.RunAsync("HGET", "ha:{shop}", "epoch"));
    }

    [FactIfRedis]
    public async Task A_server_with_all_the_connections_it_takes_is_not_connected_to_until_it_takes_more()
    {
        var server = await ServerAsync("--maxclients", "1");
        using var only = new System.Net.Sockets.TcpClient();
        await only.ConnectAsync("127.0.0.1", server.Port);
        await only.GetStream().WriteAsync("PING\r\n"u8.ToArray());
        Assert.Equal('+', only.GetStream().ReadByte());
        var store = Store(server);
        Assert.Matches($"^Redis {server.Address} (is not connected|has as many connections)", (await TroubleAsync(store))!);
        await only.GetStream().WriteAsync("CONFIG SET maxclients 100\r\n"u8.ToArray());
        Assert.Null((await AnswerAsync(store, _a)).Record);
    }

    [FactIfRedis]
    public async Task A_server_without_memory_is_named()
    {
        var server = await ServerAsync();
        var store = Store(server);
        var version = await ClaimAsync(store, _a, epoch: 7);
        await server.RunAsync("CONFIG", "SET", "maxmemory", "1");
        Assert.StartsWith($"Redis {server.Address} is out of memory (maxmemory)", await TroubleAsync(store), StringComparison.Ordinal);
        await server.RunAsync("CONFIG", "SET", "maxmemory", "0");
        Assert.Equal(version, (await AnswerAsync(store, _b)).Version);
    }

    [FactIfRedis]
    public async Task A_wrong_password_is_said_and_not_shown()
    {
        var server = await ServerAsync("--requirepass", "right-one");
        Assert.Null((await AnswerAsync(Store($"{server.Address},password=right-one"), _a)).Record);
        foreach (var login in new[] { ",password=wrong-one", ",user=nobody,password=wrong-one", "" })
        {
            var store = Store($"{server.Address}{login}");
            Assert.DoesNotContain("wrong-one", store.Description, StringComparison.Ordinal);

            // Between two tries it only says that there is no connection.
            await Eventually.True(
                async () =>
                {
                    var e = await Assert.ThrowsAsync<InvalidOperationException>(() => store.ReadAsync(_a, CancellationToken.None));
                    Assert.DoesNotContain("wrong-one", $"{e}", StringComparison.Ordinal);
                    return e.Message == $"Redis {server.Address} refuses the connection: wrong user or password, or none was given.";
                },
                what: $"it says what is wrong with '{login}'");
        }
    }

    [FactIfRedis]
    public async Task A_user_without_the_channel_writes_and_reads_and_polls()
    {
        var server = await ServerAsync();
        await server.RunAsync("ACL", "SETUSER", "app", "on", ">secret", "resetkeys", "resetchannels", "~ha:{shop}*", "+@all");
        var store = Store($"{server.Address},user=app,password=secret");
        using var token = new CancellationTokenSource();
        var wait = store.WaitForChangeAsync(token.Token);
        var version = await ClaimAsync(store, _a, epoch: 7);
        Assert.True((await WriteAsync(store, Held(_a, 7), version, _a)).Written);
        await token.CancelAsync();
        await wait.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    [FactIfRedis]
    public async Task A_user_without_the_keys_is_told_what_is_missing()
    {
        var server = await ServerAsync();
        await server.RunAsync("ACL", "SETUSER", "app", "on", ">secret", "resetkeys", "resetchannels", "~other*", "+@all");
        var trouble = await TroubleAsync(Store($"{server.Address},user=app,password=secret"));
        Assert.Contains("denies a right. The user needs those that docs/stores/redis.md lists.", trouble, StringComparison.Ordinal);
    }

    [FactIfRedis]
    public async Task A_key_of_ours_with_something_else_in_it_is_named()
    {
        var server = await ServerAsync();
        await server.RunAsync("SET", "ha:{shop}", "hello");
        Assert.Contains("has a key of ours with something else in it", await TroubleAsync(Store(server)), StringComparison.Ordinal);
    }

    private static LeaseRecord Held(LeaseMember by, long epoch) => new()
    {
        HolderId = by.NodeId,
        Incarnation = by.Incarnation,
        Epoch = epoch,
        Duration = _lease,
        Url = by.Url,
    };

    private static Task<LeaseAnswer> WriteAsync(RedisLeaseStore store, LeaseRecord record, string? expected, LeaseMember self) =>
        store.TryWriteAsync(record, expected, self, CancellationToken.None);

    private static async Task<string> ClaimAsync(RedisLeaseStore store, LeaseMember by, long epoch)
    {
        var answer = await WriteAsync(store, Held(by, epoch), expected: null, by);
        Assert.True(answer.Written);
        return answer.Version!;
    }

    /// <summary>The first answer that comes: connections take their time to come back.</summary>
    private static Task<LeaseAnswer> AnswerAsync(RedisLeaseStore store, LeaseMember self) => Eventually.NotNull(async () =>
    {
        try
        {
            return await store.ReadAsync(self, CancellationToken.None);
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    });

    private static async Task<string?> TroubleAsync(RedisLeaseStore store)
    {
        try
        {
            await store.ReadAsync(_b, CancellationToken.None);
            return null;
        }
        catch (InvalidOperationException e)
        {
            return e.Message;
        }
    }

    private static async Task<int> SubscribersAsync(RedisServer server) =>
        (await server.RunLinesAsync("PUBSUB", "CHANNELS")).Count(line => line == "ha:{shop}:changed");

    private async Task<RedisServer> ServerAsync(params string[] arguments)
    {
        var server = new RedisServer(arguments);
        _servers.Add(server);
        await server.InitializeAsync();
        return server;
    }

    private RedisLeaseStore Store(RedisServer server, TimeSpan? lease = null) => Store(server.Address, lease);

    private RedisLeaseStore Store(string configuration, TimeSpan? lease = null)
    {
        var store = new RedisLeaseStore(configuration, "shop", lease ?? _lease);
        _stores.Add(store);
        return store;
    }
}
