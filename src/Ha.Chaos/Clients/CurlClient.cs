using System.Globalization;
using Ha.Chaos.Network;

namespace Ha.Chaos.Clients;

/// <summary>The curl of the system, which follows redirects (<c>--location</c>).</summary>
internal sealed class CurlClient(string name, TimeSpan patience) : IClient
{
    private const int CouldNotConnect = 7;

    public string Name => "curl";

    public async Task<Answer> SendAsync(string node, HttpMethod method, string path, string? json, string? key, CancellationToken cancellationToken)
    {
        var seconds = patience.TotalSeconds.ToString(CultureInfo.InvariantCulture);
        string[] body = json is null ? [] : ["--header", "Content-Type: application/json", "--data-binary", json];
        string[] header = key is null ? [] : ["--header", $"Idempotency-Key: \"{key}\""];
        var result = await Tool.TryAsync(["ip", "netns", "exec", name, "curl", "--silent", "--show-error", "--location", "--noproxy", "*", "--max-time", seconds,
            "--request", method.Method, .. body, .. header, "--write-out", "\n%{http_code} %header{x-base-not-executed}", node + path]);
        if (!result.Ok)
        {
            return Answer.Lost(result.Errors, sent: result.Code != CouldNotConnect);
        }

        var end = result.Output.LastIndexOf('\n');
        var words = result.Output[(end + 1)..].Split(' ');
        return Answer.From(int.Parse(words[0], CultureInfo.InvariantCulture), words is [_, "1"], result.Output[..end]);
    }
}
