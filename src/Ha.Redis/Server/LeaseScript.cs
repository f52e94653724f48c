using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using StackExchange.Redis;

namespace Ha.Redis.Server;

/// <summary>One round trip a call: notes the member, compares and sets where it is to, and says what is there.</summary>
internal sealed class LeaseScript
{
    // Lua's numbers are doubles: epochs pass through as text, and microseconds since 1970 stay below 2^53.
    private const string Text = """
        local record, kept, members = KEYS[1], KEYS[2], KEYS[3]
        local clock = redis.call('TIME')
        local now = clock[1] * 1000000 + clock[2]
        local stamp = string.format('%.0f', now)

        redis.call('HSET', members, ARGV[2], stamp .. ' ' .. ARGV[3])
        local listed = redis.call('HGETALL', members)
        for i = 1, #listed, 2 do
            local age = now - tonumber(string.match(listed[i + 1], '^%d+') or 0)
            if age < 0 or age > tonumber(ARGV[4]) then
                redis.call('HDEL', members, listed[i])
                listed[i + 1] = ''
            end
        end

        local function read(key, prefix)
            local r = redis.call('HMGET', key, 'version', 'holder', 'incarnation', 'epoch', 'duration_ms', 'url', 'target', 'successor',
                'written_us')
            r[1] = r[1] and prefix .. r[1]
            return r
        end
        local found = read(record, '')
        if not found[1] then
            found = read(kept, 'kept-')
        end

        local written = 0
        if ARGV[1] == 'write' and (found[1] or '') == ARGV[6] then
            for _, key in ipairs({ record, kept }) do
                redis.call('HSET', key, 'version', ARGV[7], 'holder', ARGV[8], 'incarnation', ARGV[9], 'epoch', ARGV[10],
                    'duration_ms', ARGV[11], 'url', ARGV[12], 'target', ARGV[13], 'successor', ARGV[14], 'written_us', stamp)
            end
            written = 1
            found = read(record, '')
            redis.pcall('PUBLISH', ARGV[5], ARGV[7])
        end
        return { written, stamp, found, listed }
        """;

    private const CommandFlags Flags = CommandFlags.DemandMaster | CommandFlags.CommandRetryNever;

    private const long MostMillis = long.MaxValue / TimeSpan.TicksPerMillisecond;

    private static readonly byte[] _hash = Hash();
    private static readonly TimeSpan _shortestMemory = TimeSpan.FromMinutes(1);

    private readonly string _channel;
    private readonly RedisKey[] _keys;
    private readonly long _memberMicros;

    public LeaseScript(string key, TimeSpan lease)
    {
        (_channel, _keys) = ($"{key}:changed", [key, $"{key}:kept", $"{key}:members"]);
        var memory = lease * 10;
        _memberMicros = (long)(memory < _shortestMemory ? _shortestMemory : memory).TotalMicroseconds;
    }

    public Task<LeaseAnswer> ReadAsync(IDatabase database, LeaseMember self) => CallAsync(database, ["read", .. Noting(self), "", ""]);

    public Task<LeaseAnswer> WriteAsync(IDatabase database, LeaseRecord record, string? expected, LeaseMember self) => CallAsync(database,
    [
        "write", .. Noting(self), expected ?? "", Guid.NewGuid().ToString("N"),
        record.HolderId ?? "", record.Incarnation, record.Epoch, (long)Math.Ceiling(record.Duration.TotalMilliseconds),
        record.Url, record.Target, record.Successor ?? "",
    ]);

    public Task<bool> LeaveAsync(IDatabase database, LeaseMember self) => database.HashDeleteAsync(_keys[2], Field(self), Flags);

    private static string Field(LeaseMember member) => $"{member.NodeId} {member.Incarnation}";

    private static RedisValue[] Noting(LeaseMember self, string channel, long memberMicros) =>
        [Field(self), JsonSerializer.Serialize(MemberNote.Of(self), MemberJson.Default.MemberNote), memberMicros, channel];

    private static byte[] Hash()
    {
        // What names a script is SHA-1 by the protocol; it protects nothing.
#pragma warning disable CA5350
        return SHA1.HashData(Encoding.UTF8.GetBytes(Text));
#pragma warning restore CA5350
    }

    private RedisValue[] Noting(LeaseMember self) => Noting(self, _channel, _memberMicros);

    private async Task<LeaseAnswer> CallAsync(IDatabase database, RedisValue[] arguments)
    {
        RedisResult result;
        try
        {
            result = await database.ScriptEvaluateAsync(_hash, _keys, arguments, Flags);
        }
        catch (RedisServerException e) when (e.Kind == RedisErrorKind.NoScript)
        {
            // The server has never seen it, or was told to forget it; it ran nothing.
            result = await database.ScriptEvaluateAsync(Text, _keys, arguments, Flags | CommandFlags.NoScriptCache);
        }

        return Answer(result);
    }

    private static LeaseAnswer Answer(RedisResult result)
    {
        var now = (long)result[1];
        var fields = (RedisValue[])result[2]!;
        var there = !fields[0].IsNull;
        return new LeaseAnswer
        {
            Written = (int)result[0] == 1,
            Version = fields[0],
            Record = there ? Record(fields) : null,
            Age = there ? Since(now, fields[8]) : null,
            Members = [.. Members((RedisValue[])result[3]!, now)],
        };
    }

    /// <summary>
    /// What is no number becomes one that no member writes. So it has a version, and is waited for and overwritten like any other
    /// nonsense; as an error it would keep everybody from leading.
    /// </summary>
    private static LeaseRecord Record(RedisValue[] fields) => new()
    {
        HolderId = OrNull(fields[1]),
        Incarnation = fields[2].ToString(),
        Epoch = Number(fields[3]) ?? 0,
        Duration = TimeSpan.FromTicks(Math.Clamp(Number(fields[4]) ?? -1, -MostMillis, MostMillis) * TimeSpan.TicksPerMillisecond),
        Url = fields[5].ToString(),
        Target = fields[6].ToString(),
        Successor = OrNull(fields[7]),
    };

    private static long? Number(RedisValue value) =>
        long.TryParse(value.ToString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static IEnumerable<LeaseMember> Members(RedisValue[] listed, long now)
    {
        for (var i = 0; i + 1 < listed.Length; i += 2)
        {
            var (field, value) = (listed[i].ToString(), listed[i + 1].ToString());
            if (field.IndexOf(' ', StringComparison.Ordinal) is > 0 and var end &&
                value.IndexOf(' ', StringComparison.Ordinal) is > 0 and var seen &&
                Note(value.AsSpan(seen + 1)) is { } note)
            {
                yield return new LeaseMember
                {
                    NodeId = field[..end],
                    Incarnation = field[(end + 1)..],
                    Url = note.Url,
                    Target = note.Target,
                    Eligible = note.Eligible,
                    Age = Since(now, value[..seen]) ?? TimeSpan.Zero,
                };
            }
        }
    }

    /// <summary>Null: somebody else's value.</summary>
    private static MemberNote? Note(ReadOnlySpan<char> json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, MemberJson.Default.MemberNote);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Null where the server's clock was set back in between, or it is no time.</summary>
    private static TimeSpan? Since(long now, RedisValue then) =>
        then.TryParse(out long micros) && micros >= 0 && micros <= now ? TimeSpan.FromMicroseconds(now - micros) : null;

    private static string? OrNull(RedisValue value) => value.IsNullOrEmpty ? null : value.ToString();
}
