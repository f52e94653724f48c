using Ha.Redis;
using Ha.Redis.Server;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Ha.Tests.Stores.Redis;

public sealed class RedisLeaseConfigurationTests
{
    private static readonly TimeSpan _lease = TimeSpan.FromSeconds(1.5);

    [Theory]
    [InlineData("db:6379", "ha:{shop}", "db:6379", null)]
    [InlineData("db", "ha:{shop}", "db:6379", null)]
    [InlineData("db/locks", "{locks}", "db:6379", null)]
    [InlineData("db/ha:{locks}:x", "ha:{locks}:x", "db:6379", null)]
    [InlineData("db/ha:{}", "{ha:{}}", "db:6379", null)]
    [InlineData("db:1,[2001:db8::1]:2,ssl=true,password=secret", "ha:{shop}", "db:1, [2001:db8::1]:2", "secret")]
    [InlineData("db,password=sec/ret,ssl=false", "ha:{shop}", "db:6379", "sec/ret")]
    [InlineData("db,password=sec/ret/,ssl=false/locks", "{locks}", "db:6379", "sec/ret/")]
    [InlineData("db,password=sec=ret,name=x/locks", "{locks}", "db:6379", "sec=ret")]
    [InlineData("db,password=se://c@ret,ssl=false", "ha:{shop}", "db:6379", "se://c@ret")]
    [InlineData("db/", "ha:{shop}", "db:6379", null)]
    [InlineData("10.0.0.1:1,my_db.internal,2001:db8::1", "ha:{shop}", "10.0.0.1:1, my_db.internal:6379, [2001:db8::1]:6379", null)]
    [InlineData("db,defaultDatabase=3", "ha:{shop}", "db:6379 database 3", null)]
    public void What_follows_the_scheme_is_hosts_and_key(string text, string key, string where, string? password)
    {
        var parsed = RedisLeaseConfiguration.Parse(text, "shop", _lease, configure: null);
        Assert.Equal((key, where, password), (parsed.Key, parsed.Where, parsed.Options.Password));
    }

    [Theory]
    [InlineData("", "names no host")]
    [InlineData("/locks", "names no host")]
    [InlineData("//db:6379/0", "not by a URL")]
    [InlineData("password=secret", "names no host")]
    [InlineData("db,connectTimeout=soon,password=secret", "is no configuration of StackExchange.Redis")]
    [InlineData("db,pasword=secret", "is no configuration of StackExchange.Redis")]
    [InlineData("db,password=ab/secret", "Write another option behind it")]
    [InlineData("db,password=secret/locks", "Write another option behind it")]
    [InlineData("db,password=secret/", "Write another option behind it")]
    [InlineData("db, PassWord = ab/secret", "Write another option behind it")]
    [InlineData("db,password=x,user=ab/secret", "Write another option behind it")]
    [InlineData("db,password=ab,secret", "Hosts stand first")]
    [InlineData("db,password=ab,cd/secret", "Hosts stand first")]
    [InlineData("db,password=ab,=secret", "Hosts stand first")]
    [InlineData("db,password=ab,secret,ssl=true", "Hosts stand first")]
    [InlineData("db,password=ab,cd/secret=", "holds an equals sign")]
    [InlineData("db,password=ab,cd=x/secret", "is no configuration of StackExchange.Redis")]
    [InlineData("db,pass=ab/secret", "is no configuration of StackExchange.Redis")]
    [InlineData("db/a=secret", "holds an equals sign")]
    [InlineData("redis://user:secret@db:6379/0", "not by a URL")]
    [InlineData("redis://:secret@db", "not by a URL")]
    [InlineData("db,redis://:secret@db", "not by a URL")]
    [InlineData("rediss://user:sec,ret@db:6379/0", "not by a URL")]
    [InlineData("//user:secret@db:6379/0", "not by a URL")]
    [InlineData("user:secret@db:6379", "not by a URL")]
    [InlineData("secret@db", "not by a URL")]
    [InlineData("db:6379:secret", "not by a URL")]
    [InlineData("db/secret/locks", "not by a URL")]
    public void What_cannot_be_read_is_refused_without_showing_it(string text, string says)
    {
        var e = Assert.Throws<ArgumentException>(() => new RedisLeaseStore(text, "shop", _lease));
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", $"{e}", StringComparison.Ordinal);
    }

    [Fact]
    public void Timeouts_follow_from_the_lease_unless_they_are_given()
    {
        var options = RedisLeaseConfiguration.Parse("db", "shop", _lease, configure: null).Options;
        Assert.Equal((1500, 1500), (options.ConnectTimeout, options.AsyncTimeout));
        options = RedisLeaseConfiguration.Parse("db,asyncTimeout=77,connectTimeout=88", "shop", _lease, configure: null).Options;
        Assert.Equal((88, 77), (options.ConnectTimeout, options.AsyncTimeout));
    }

    [Fact]
    public void What_a_lease_needs_is_set_whatever_was_written()
    {
        var options = RedisLeaseConfiguration.Parse("db,abortConnect=true", "shop", _lease, o => o.BacklogPolicy = BacklogPolicy.Default).Options;
        Assert.False(options.AbortOnConnectFail);
        Assert.Same(BacklogPolicy.FailFast, options.BacklogPolicy);
    }

    [Fact]
    public async Task The_scheme_makes_the_store_and_the_delegate_adds_to_it()
    {
        var calls = 0;
        var options = new HaOptions().UseRedis(o =>
        {
            calls++;
            o.EndPoints.Add("second", 1234);
        });
        Assert.Equal(0, calls);
        await using var store = options.LeaseStores["REDIS"](new LeaseStoreContext("first,password=secret,ssl=false/locks", "shop", _lease, Services: null));
        Assert.Equal(1, calls);
        Assert.Equal("Redis first:6379, second:1234, key {locks}", store.Description);
    }
}
