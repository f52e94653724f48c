using System.CommandLine;
using Ha.Configuration;
using Ha.Http;
using Ha.Security;
using Microsoft.Extensions.Configuration;

namespace Ha.Cli.Nodes;

/// <summary>The options that say which nodes are meant and how to talk to them.</summary>
internal sealed class TargetOptions
{
    private readonly Option<string[]> _urls = new("--url")
    {
        Description = "A node's URL; may be repeated, or a comma-separated list. Default: BASE_PEERS.",
        HelpName = "url",
    };

    private readonly Option<string?> _ca = new("--ca")
    {
        Description = "A file with the authorities to check https nodes against. Default: BASE_CA_FILE, otherwise the machine's.",
        HelpName = "file",
    };

    private readonly Option<string?> _tokenFile = new("--token-file")
    {
        Description = "A file with the admin token. Default: BASE_ADMIN_TOKEN or BASE_ADMIN_TOKEN_FILE.",
        HelpName = "file",
    };

    private readonly IConfiguration _environment;

    public TargetOptions(IConfiguration environment)
    {
        _environment = environment;
        _urls.Validators.Add(result =>
        {
            var problems = new List<string>();
            Normalise("--url", result.Tokens.Select(token => token.Value), problems);
            problems.ForEach(result.AddError);
        });
    }

    public void AddTo(Command command)
    {
        command.Add(_urls);
        command.Add(_ca);
        command.Add(_tokenFile);
    }

    /// <param name="parsed">The command line.</param>
    /// <param name="acts">
    /// The token is needed. Otherwise it is only where a node asks for it, and what is wrong with it is said of that node.
    /// </param>
    /// <exception cref="CommandException">Something is missing or wrong; all of it is named.</exception>
    public Target Open(ParseResult parsed, bool acts)
    {
        var options = new HaOptions();
        new ConfigureHaOptions(_environment).Configure(options);
        var problems = new List<string>();
        var given = parsed.GetValue(_urls) ?? [];
        var urls = given.Length > 0 ? Normalise("--url", given, problems) : Normalise(HaKeys.Peers, options.Peers, problems);
        if (urls.Length == 0 && problems.Count == 0)
        {
            problems.Add("Which nodes? Name their URLs with --url or BASE_PEERS, such as --url http://node-1:8080,http://node-2:8080.");
        }

        // Of members that are not named only those that are to act are asked, and they may be behind TLS.
        var caFile = parsed.GetValue(_ca);
        var tls = acts || caFile is not null || urls.Any(Target.IsSecure) ? LoadTls(options, caFile, problems) : TlsMaterial.None;
        var tokenFile = parsed.GetValue(_tokenFile);
        var tokenProblems = acts || tokenFile is not null ? problems : [];
        var token = AdminTokens.Find(options, tokenFile, tokenProblems);
        return problems.Count == 0
            ? new Target(urls, token, tls!, tokenProblems.Count > 0 ? AdminTokens.OfNoUse(tokenProblems) : AdminTokens.Missing)
            : throw new CommandException(ExitCode.WrongUsage, string.Join('\n', problems));
    }

    private static TlsMaterial? LoadTls(HaOptions options, string? caFile, List<string> problems) => TlsMaterial.Load(
        caFile is not null ? new NamedFile("--ca", caFile) { IsPublic = true } : NamedFile.From(HaKeys.CaFile, options.CaFile),
        NamedFile.From(HaKeys.ClientCertFile, options.ClientCertFile),
        NamedFile.From(HaKeys.ClientKeyFile, options.ClientKeyFile),
        SecretText.Read,
        problems);

    private static string[] Normalise(string setting, IEnumerable<string> values, List<string> problems)
    {
        var urls = new List<string>();
        foreach (var value in values.SelectMany(v => v.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)))
        {
            if (TargetUrl.TryNormalise(value, out var url, out var error))
            {
                urls.Add(url);
            }
            else
            {
                problems.Add($"{setting} ({TargetUrl.Redact(value)}) {error}.");
            }
        }

        return [.. urls.Distinct(StringComparer.Ordinal)];
    }
}

/// <summary>The nodes that a command is about.</summary>
/// <param name="urls">Those that were named.</param>
/// <param name="token">The admin token; null: there is none.</param>
/// <param name="tls">How to check the nodes and what to show them.</param>
/// <param name="whyNoToken">A clause about a node that wants it.</param>
internal sealed class Target(IReadOnlyList<string> urls, string? token, TlsMaterial tls, string whyNoToken = AdminTokens.Missing)
    : IDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan _lookEvery = TimeSpan.FromMilliseconds(200);

    private readonly NodeClient _client = new(token, _patience, tls.ToOptions(), whyNoToken);

    public IReadOnlyList<string> Urls => urls;

    public Task<ClusterStatus> LookAsync(CancellationToken cancellationToken) => ClusterStatus.LookAsync(_client, urls, cancellationToken);

    public Task<Trouble?> AskReadyAsync(string url, CancellationToken cancellationToken) => _client.AskReadyAsync(url, cancellationToken);

    /// <summary>Sends the token to a node: one that was given, or one that those name as a member.</summary>
    /// <exception cref="CommandException">There is no token or no URL, or the way to the node is worse than that to the others.</exception>
    public Task<ActionAnswer> PostAsync(NodeRow node, string route, string? to, CancellationToken cancellationToken)
    {
        if (token is null)
        {
            throw new CommandException(ExitCode.WrongToken, $"{StatusTable.Name(node)}: {whyNoToken}.");
        }

        if (node.Answers is null && !TargetUrl.IsNormalised(node.Url))
        {
            throw new CommandException(
                ExitCode.NotReachable, $"No node says at which URL {StatusTable.Name(node)} is reached; name it with --url.");
        }

        // Whoever speaks https has a reason to, and a member's URL is only as good as the node that told it.
        if (node.Answers is null && !IsSecure(node.Url) && urls.Any(IsSecure))
        {
            throw new CommandException(
                ExitCode.NotReachable,
                $"The token is not sent to {StatusTable.Plain(node.Url)} without TLS; name the node with --url as you reach it.");
        }

        return _client.PostAsync(node.Url, route, to, cancellationToken);
    }

    /// <summary>
    /// Asks again and again, at least once. A look that has begun in time is waited for: one node that does not answer would otherwise
    /// cost what the others have said.
    /// </summary>
    /// <typeparam name="T">What it looks at.</typeparam>
    /// <param name="look">Asks once.</param>
    /// <param name="until">Whether that was it.</param>
    /// <param name="timeout">After this no look begins.</param>
    /// <param name="clock">Measures it.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>What was seen last, and whether that was in time.</returns>
    public static async Task<(T Last, bool InTime)> PollAsync<T>(
        Func<CancellationToken, Task<T>> look,
        Func<T, bool> until,
        TimeSpan timeout,
        TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var start = clock.GetTimestamp();
        while (true)
        {
            var last = await look(cancellationToken);
            if (until(last))
            {
                return (last, true);
            }

            var left = timeout - clock.GetElapsedTime(start);
            if (left <= TimeSpan.Zero)
            {
                return (last, false);
            }

            await Task.Delay(left < _lookEvery ? left : _lookEvery, clock, cancellationToken);
        }
    }

    public void Dispose() => _client.Dispose();

    public static bool IsSecure(string url) => url.StartsWith("https://", StringComparison.Ordinal);
}
