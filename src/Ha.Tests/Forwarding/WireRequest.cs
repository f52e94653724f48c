using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Ha.Tests.Forwarding;

/// <summary>
/// One HTTP/1.1 request, read by the letter of RFC 9112 and with no mercy: a test fails on anything that another parser
/// might read differently.
/// </summary>
/// <param name="Line">The request line.</param>
/// <param name="Headers">Each name once.</param>
/// <param name="Body">What there is of it, without its chunks.</param>
/// <param name="Complete">False while some of the body is missing.</param>
internal sealed partial record WireRequest(string Line, Dictionary<string, string> Headers, string Body, bool Complete)
{
    public static WireRequest Read(string text)
    {
        var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        Assert.True(end > 0, text);
        var lines = text[..end].Split("\r\n");
        Assert.Matches(RequestLine(), lines[0]);
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var line in lines[1..])
        {
            var field = Field().Match(line);
            Assert.True(field.Success, line);
            headers.Add(field.Groups["name"].Value, field.Groups["value"].Value);
        }

        var chunked = headers.TryGetValue("Transfer-Encoding", out var coding);
        Assert.Equal(chunked ? "chunked" : null, coding);
        Assert.True(chunked != headers.ContainsKey("Content-Length"), "one length, and only one");
        var rest = text[(end + 4)..];
        if (chunked)
        {
            return Chunked(lines[0], headers, rest);
        }

        Assert.Matches("^(0|[1-9][0-9]*)$", headers["Content-Length"]);
        var length = int.Parse(headers["Content-Length"], NumberStyles.None, CultureInfo.InvariantCulture);
        Assert.True(rest.Length <= length, "something follows the request: " + rest);
        return new WireRequest(lines[0], headers, rest, rest.Length == length);
    }

    private static WireRequest Chunked(string line, Dictionary<string, string> headers, string rest)
    {
        var body = new StringBuilder();
        while (rest.IndexOf("\r\n", StringComparison.Ordinal) is >= 0 and var eol)
        {
            Assert.Matches("^[0-9A-Fa-f]{1,8}$", rest[..eol]);
            var size = int.Parse(rest[..eol], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (rest.Length < eol + 2 + size + 2)
            {
                break;
            }

            body.Append(rest, eol + 2, size);
            Assert.Equal("\r\n", rest.Substring(eol + 2 + size, 2));
            rest = rest[(eol + 2 + size + 2)..];
            if (size == 0)
            {
                Assert.Equal("", rest);
                return new WireRequest(line, headers, body.ToString(), Complete: true);
            }
        }

        return new WireRequest(line, headers, body.ToString(), Complete: false);
    }

    [GeneratedRegex("^[A-Z]+ /[!-~]* HTTP/1\\.1$", RegexOptions.None, 1000)]
    private static partial Regex RequestLine();

    [GeneratedRegex("^(?<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+): (?<value>[\\x20-\\x7e\\x80-\\xff]*)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Field();
}
