using System.Globalization;
using System.Text;

namespace Ha.Tests.Support;

/// <summary>One line of a message's head, or of its trailers.</summary>
internal readonly record struct HeaderLine(string Name, string Value)
{
    public static HeaderLine Of(string line)
    {
        var colon = line.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? throw new IOException($"Not a header: {line}") : new HeaderLine(line[..colon], line[(colon + 1)..].Trim(' ', '\t'));
    }

    public bool Is(string name) => string.Equals(Name, name, StringComparison.OrdinalIgnoreCase);
}

/// <summary>
/// Reads HTTP/1.1 messages as they come, nothing repaired. An <see cref="IOException"/> says that one broke off or is none.
/// </summary>
internal sealed class Http1Reader(Stream stream)
{
    private readonly byte[] _buffer = new byte[16 * 1024];
    private int _from, _to;

    /// <summary>False: more has come than was asked for.</summary>
    public bool IsEmpty => _from == _to;

    public async Task<string> ReadLineAsync()
    {
        var line = new StringBuilder();
        while (true)
        {
            if (IsEmpty && !await FillAsync())
            {
                throw new EndOfStreamException();
            }

            var c = (char)_buffer[_from++];
            if (c == '\n')
            {
                return line.ToString().TrimEnd('\r');
            }

            line.Append(c);
        }
    }

    public async Task<List<HeaderLine>> ReadHeadersAsync()
    {
        var headers = new List<HeaderLine>();
        while (await ReadLineAsync() is { Length: > 0 } line)
        {
            headers.Add(HeaderLine.Of(line));
        }

        return headers;
    }

    /// <summary>Reads the body that the headers announce.</summary>
    /// <param name="headers">Those of the message.</param>
    /// <param name="untilClosed">What no announcement means: true, as much as comes; false, nothing.</param>
    /// <param name="take">Gets the pieces as they come.</param>
    /// <returns>The trailers.</returns>
    public async Task<List<HeaderLine>> ReadBodyAsync(
        IReadOnlyCollection<HeaderLine> headers, bool untilClosed, Action<ReadOnlyMemory<byte>> take)
    {
        if (headers.Any(header => header.Is("Transfer-Encoding") && header.Value.Contains("chunked", StringComparison.OrdinalIgnoreCase)))
        {
            long size;
            while ((size = Number(await ReadLineAsync(), NumberStyles.AllowHexSpecifier)) > 0)
            {
                await ReadExactlyAsync(size, take);
                await ReadLineAsync();
            }

            return await ReadHeadersAsync();
        }

        if (headers.FirstOrDefault(header => header.Is("Content-Length")).Value is { } length)
        {
            await ReadExactlyAsync(Number(length, NumberStyles.None), take);
        }
        else if (untilClosed)
        {
            await ReadToEndAsync(take);
        }

        return [];
    }

    public async Task ReadExactlyAsync(long count, Action<ReadOnlyMemory<byte>> take)
    {
        while (count > 0)
        {
            if (IsEmpty && !await FillAsync())
            {
                throw new EndOfStreamException();
            }

            var part = (int)Math.Min(count, _to - _from);
            take(_buffer.AsMemory(_from, part));
            _from += part;
            count -= part;
        }
    }

    public async Task ReadToEndAsync(Action<ReadOnlyMemory<byte>> take)
    {
        while (!IsEmpty || await FillAsync())
        {
            take(_buffer.AsMemory(_from, _to - _from));
            _from = _to;
        }
    }

    private static long Number(string text, NumberStyles style) =>
        long.TryParse(text, style, CultureInfo.InvariantCulture, out var number) ? number : throw new IOException($"Not a length: {text}");

    private async ValueTask<bool> FillAsync()
    {
        _from = 0;
        _to = 0;
        _to = await stream.ReadAsync(_buffer);
        return _to > 0;
    }
}
