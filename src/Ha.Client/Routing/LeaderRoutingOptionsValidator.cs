using Microsoft.Extensions.Options;

namespace Ha.Client.Routing;

/// <summary>Says everything that is wrong with a client's options in one message, each with the remedy.</summary>
internal sealed class LeaderRoutingOptionsValidator : IValidateOptions<LeaderRoutingOptions>
{
    private const int MaxNodes = 64;
    private const int MaxBufferedBytes = 64 * 1024 * 1024;
    private static readonly TimeSpan _day = TimeSpan.FromDays(1);

    public ValidateOptionsResult Validate(string? name, LeaderRoutingOptions options)
    {
        var errors = Errors(options);
        return errors.Count == 0
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail(errors.Select(error => $"AddLeaderRouting for client '{name}': {error}"));
    }

    /// <summary>Everything that is wrong, a sentence each.</summary>
    public static List<string> Errors(LeaderRoutingOptions options)
    {
        var errors = new List<string>();
        CheckNodes(options.Nodes, options.ResolveNodes is not null, errors);
        Check(nameof(options.ConnectTimeout), options.ConnectTimeout, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1), errors);
        Check(nameof(options.Deadline), options.Deadline, TimeSpan.FromMilliseconds(10), _day, errors);
        CheckOrder(nameof(options.ConnectTimeout), options.ConnectTimeout, nameof(options.AttemptTimeout), options.AttemptTimeout, errors);
        CheckOrder(nameof(options.AttemptTimeout), options.AttemptTimeout, nameof(options.Deadline), options.Deadline, errors);
        Check(nameof(options.MaxBufferedBodyBytes), options.MaxBufferedBodyBytes, 0, MaxBufferedBytes, errors);
        return errors;
    }

    private static void CheckNodes(IReadOnlyList<string>? nodes, bool resolved, List<string> errors)
    {
        if (nodes is null || nodes.Count is 0 or > MaxNodes)
        {
            errors.Add($"Nodes must hold 1 to {MaxNodes} base URLs, such as http://node-1:8080.");
            return;
        }

        var schemes = new HashSet<string>(StringComparer.Ordinal);
        foreach (var node in nodes)
        {
            if (MemberUrl.TryParse(node, out var url))
            {
                schemes.Add(url[..url.IndexOf(':', StringComparison.Ordinal)]);
            }
            else if (IsServiceName(node))
            {
                if (!resolved)
                {
                    errors.Add($"Nodes: '{Redact(node)}' is a name for service discovery: set ResolveNodes, or name an http or https URL.");
                }
            }
            else
            {
                errors.Add($"Nodes: '{Redact(node)}' must be an http or https URL of scheme, host and port only, such as http://node-1:8080.");
            }
        }

        if (schemes.Count > 1)
        {
            errors.Add("Nodes must be all http or all https: a call must not lose its encryption on the way.");
        }
    }

    // Such as https+http://orders, or http://_public.orders, which is a URL as well.
    private static bool IsServiceName(string? node) =>
        node is not null && !node.AsSpan().ContainsAny('@', '\\', '#') && Uri.TryCreate(node, UriKind.Absolute, out var uri) &&
        uri.Scheme.Contains('+', StringComparison.Ordinal) && uri.PathAndQuery is "/" or "" && MemberUrl.NameOf(uri).Length > 0;

    // A URL may carry a password, and messages end up in logs.
    private static string Redact(string? node) =>
        node is not null && node.LastIndexOf('@') is var at and >= 0 ? $"***{node[at..]}" : node ?? "";

    // Either may be the one that was set, beside the other's default.
    private static void CheckOrder(string shorter, TimeSpan atMost, string longer, TimeSpan value, List<string> errors)
    {
        if (atMost > value)
        {
            errors.Add($"{shorter} ({atMost}) must not be longer than {longer} ({value}): set both.");
        }
    }

    private static void Check<T>(string option, T value, T min, T max, List<string> errors)
        where T : IComparable<T>
    {
        if (value.CompareTo(min) < 0 || value.CompareTo(max) > 0)
        {
            errors.Add($"{option} ({value}) must be between {min} and {max}.");
        }
    }
}
