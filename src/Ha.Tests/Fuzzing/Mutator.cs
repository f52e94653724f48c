using System.Text;

namespace Ha.Tests.Fuzzing;

/// <summary>Changes valid inputs at random, repeatable by its seed.</summary>
internal sealed class Mutator(int seed)
{
    private static readonly byte[][] _splinters =
    [
        .. new[]
        {
            "{", "}", "[", "]", "\"", ":", ",", "null", "true", "-", "-1", "0", "1e999", "NaN", "Infinity", "1.5", "\\", "\\u", "\\ud800",
            "\\u0000", "9223372036854775808", "9007199254740993", "\"seq\":7,", "\"from\":{", "\"op\":\"acquire\",", "/*x*/", " ", "\n", "=",
            ";", "ha=", "=:", ":", "sha-256=", "xn--", "%C3%A4", "%E2%84%80", "[::1]", "@", ";alg=\"none\"", ";created=1", "(\"@method\")", ", ha=()", "\0", "A", "é",
        }.Select(Encoding.UTF8.GetBytes),
        [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5],
    ];

    private readonly Random _random = new(seed);

    public int Next(int limit) => _random.Next(limit);

    /// <summary>One to four changes; now and then none.</summary>
    public byte[] Mutate(ReadOnlySpan<byte> input)
    {
        var bytes = new List<byte>(input.ToArray());
        for (var changes = _random.Next(5); changes > 0; changes--)
        {
            Change(bytes);
        }

        return [.. bytes];
    }

    public string Mutate(string input) => Encoding.Latin1.GetString(Mutate(Encoding.Latin1.GetBytes(input)));

    /// <summary>Bytes without a sense, fewer than <paramref name="limit"/>.</summary>
    public byte[] Noise(int limit)
    {
        var bytes = new byte[_random.Next(limit)];
        _random.NextBytes(bytes);
        return bytes;
    }

    private void Change(List<byte> bytes)
    {
        var at = _random.Next(bytes.Count + 1);
        var length = Math.Min(_random.Next(1, 12), bytes.Count - at);
        switch (_random.Next(7))
        {
            case 0 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << _random.Next(8));
                break;
            case 1 when at < bytes.Count:
                bytes[at] = (byte)_random.Next(256);
                break;
            case 2:
                bytes.RemoveRange(at, length);
                break;
            case 3:
                bytes.InsertRange(at, bytes.GetRange(at, length));
                break;
            case 4 when _random.Next(8) == 0:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 5:
                // Move a piece: members change places, headers their parts.
                var piece = bytes.GetRange(at, length);
                bytes.RemoveRange(at, length);
                bytes.InsertRange(_random.Next(bytes.Count + 1), piece);
                break;
            default:
                bytes.InsertRange(at, _splinters[_random.Next(_splinters.Length)]);
                break;
        }
    }
}
