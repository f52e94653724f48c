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

    /// <exception cref="CommandException">Something is missing or wrong; all of it is named.</exception>
    public Target Open(ParseResult parsed)
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

        var ca = parsed.GetValue(_ca) is { } file ? new NamedFile("--ca", file) : NamedFile.From(HaKeys.CaFile, options.CaFile);
        var tls = TlsMaterial.Load(
            ca, NamedFile.From(HaKeys.ClientCertFile, options.ClientCertFile), NamedFile.From(HaKeys.ClientKeyFile, options.ClientKeyFile),
            SecretText.Read, problems);
        return problems.Count == 0
            ? new Target(urls, AdminTokens.Find(options, parsed.GetValue(_tokenFile)), tls!)
            : throw new CommandException(ExitCode.WrongUsage, string.Join('\n', problems));
    }

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
internal sealed class Target(IReadOnlyList<string> urls, string? token, TlsMaterial tls) : IDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan _lookEvery = TimeSpan.FromMilliseconds(200);

    private readonly NodeClient _client = new(token, _patience, tls.ToOptions());

    public IReadOnlyList<string> Urls => urls;

    public Task<ClusterStatus> LookAsync(CancellationToken cancellationToken) => ClusterStatus.LookAsync(_client, urls, cancellationToken);

    public Task<Trouble?> AskReadyAsync(string url, CancellationToken cancellationToken) => _client.AskReadyAsync(url, cancellationToken);

    /// <summary>Sends the token to a node: one that was given, or one that those name as a member.</summary>
    /// <exception cref="CommandException">There is no token, or the way to the node is worse than that to the others.</exception>
    public Task<ActionAnswer> PostAsync(NodeRow node, string route, string? to, CancellationToken cancellationToken)
    {
        if (token is null)
        {
            throw new CommandException(ExitCode.WrongToken, $"{StatusTable.Name(node)}: {AdminTokens.Missing}.");
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

    /// <summary>Asks again and again, at least once.</summary>
    /// <typeparam name="T">What it looks at.</typeparam>
    /// <param name="look">Asks once.</param>
    /// <param name="until">Whether that was it.</param>
    /// <param name="timeout">How long at most.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>What was seen last, and whether that was in time.</returns>
    public static async Task<(T Last, bool InTime)> PollAsync<T>(
        Func<CancellationToken, Task<T>> look, Func<T, bool> until, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(timeout);
        using var timer = new PeriodicTimer(_lookEvery);
        var last = await look(cancellationToken);
        try
        {
            while (!until(last))
            {
                await timer.WaitForNextTickAsync(deadline.Token);
                last = await look(deadline.Token);
            }

            return (last, true);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (last, false);
        }
    }

    public void Dispose() => _client.Dispose();

    private static bool IsSecure(string url) => url.StartsWith("https://", StringComparison.Ordinal);
}
