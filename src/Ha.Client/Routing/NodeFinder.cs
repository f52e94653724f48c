using System.Collections.Concurrent;
using System.Net;
using System.Runtime.InteropServices;

namespace Ha.Client.Routing;

/// <summary>One place that requests can be sent to.</summary>
/// <param name="Url">Its base URL, by address where its name has several.</param>
/// <param name="Name">The base URL that the application, or its resolver, has given.</param>
/// <param name="IsSpare">An address of the other family, which may lead to a node that is known by another one.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FoundNode(string Url, string Name, bool IsSpare = false);

/// <summary>
/// Finds the nodes behind the names of the options: through the application's resolver, and where a name has several
/// addresses, a node at each. One search at a time, never on a request's own thread. Thread-safe.
/// </summary>
/// <param name="names">The options' nodes, in one spelling.</param>
/// <param name="resolve">The application's resolver; null: the names are base URLs.</param>
/// <param name="addresses">All addresses of the host of a base URL, the preferred one first; null: that is left to the transport.</param>
/// <param name="clock">All time comes from here.</param>
internal sealed class NodeFinder(
    IReadOnlyList<string> names,
    Func<Uri, CancellationToken, ValueTask<IReadOnlyList<Uri>>>? resolve,
    Func<Uri, CancellationToken, Task<IPAddress[]>>? addresses,
    TimeProvider clock)
{
    /// <summary>After what time a name is looked up again at the latest.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan _atMostEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _limit = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly bool _hasWork = resolve is not null || (addresses is not null && names.Any(HasName));

    // Of the search alone: the last good answers hold while there are no better ones.
    private readonly ConcurrentDictionary<string, string[]> _urls = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, FoundNode[]> _nodes = new(StringComparer.Ordinal);

    private readonly TaskCompletionSource _firstFound = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _search = Task.CompletedTask;
    private long? _begun;

    /// <summary>The names are the resolver's: nothing can be sent before it has answered.</summary>
    public bool Resolves => resolve is not null;

    /// <summary>Done when a resolver has given the first nodes, though others may still be asked.</summary>
    public Task FirstFound => _firstFound.Task;

    /// <summary>The search under way, or a new one when it is time.</summary>
    /// <param name="anyway">A node does not answer: do not wait for that time.</param>
    /// <param name="found">Gets the nodes, and what could not be resolved; null: everything could.</param>
    public Task Search(bool anyway, Action<IReadOnlyList<FoundNode>, string?> found)
    {
        if (!_hasWork)
        {
            return Task.CompletedTask;
        }

        lock (_lock)
        {
            if (_search.IsCompleted && (_begun is not { } begun || clock.GetElapsedTime(begun) >= (anyway ? _atMostEvery : Every)))
            {
                _begun = clock.GetTimestamp();
                _search = Task.Run(() => SearchAsync(found));
            }

            return _search;
        }
    }

    private async Task SearchAsync(Action<IReadOnlyList<FoundNode>, string?> found)
    {
        var failures = new ConcurrentQueue<string>();
        var searches = names.Select(name => NodesBehindAsync(name, failures)).ToArray();
        if (Resolves && !_firstFound.Task.IsCompleted)
        {
            // The first call waits for whichever name is found first, not for one whose resolver hangs.
            await foreach (var search in Task.WhenEach(searches).ConfigureAwait(false))
            {
                if (await search.ConfigureAwait(false) is { Count: > 0 } first && !_firstFound.Task.IsCompleted)
                {
                    found(first, null);
                    _firstFound.SetResult();
                }
            }
        }

        var all = await Task.WhenAll(searches).ConfigureAwait(false);
        found(
            [.. all.SelectMany(static nodes => nodes).DistinctBy(node => node.Url, StringComparer.Ordinal)],
            failures.IsEmpty ? null : string.Join("; ", failures));
    }

    private async Task<List<FoundNode>> NodesBehindAsync(string name, ConcurrentQueue<string> failures)
    {
        var nodes = new List<FoundNode>();
        foreach (var url in await LastGoodAsync(_urls, name, resolve is null ? null : UrlsAsync, name, failures).ConfigureAwait(false))
        {
            nodes.AddRange(await LastGoodAsync(_nodes, url, addresses is null || !HasName(url) ? null : NodesAsync, new FoundNode(url, url), failures)
                .ConfigureAwait(false));
        }

        return nodes;
    }

    private async Task<T[]> LastGoodAsync<T>(
        ConcurrentDictionary<string, T[]> known, string name, Func<string, CancellationToken, Task<T[]>>? ask, T itself, ConcurrentQueue<string> failures)
    {
        if (ask is null)
        {
            return [itself];
        }

        using var timer = new CancellationTokenSource(_limit, clock);
        try
        {
            var answer = await ask(name, timer.Token).WaitAsync(timer.Token).ConfigureAwait(false);
            if (answer.Length > 0)
            {
                return known[name] = answer;
            }

            failures.Enqueue($"{name}: nothing was found");
        }
        catch (Exception error)
        {
            // Whatever a resolver of the application throws.
            failures.Enqueue($"{name}: {(timer.IsCancellationRequested ? "no answer in time" : error.Message)}");
        }

        // The transport says by itself why a base URL cannot be reached; of another name there is nothing to try.
        return known.TryGetValue(name, out var before) ? before : MemberUrl.TryParse(name, out _) ? [itself] : [];
    }

    private async Task<string[]> UrlsAsync(string name, CancellationToken cancellationToken)
    {
        var urls = new List<string>();
        foreach (var uri in await resolve!(new Uri(name), cancellationToken).ConfigureAwait(false))
        {
            urls.Add(MemberUrl.TryParse(uri.OriginalString, out var url)
                ? url
                : throw new InvalidOperationException("ResolveNodes gave something else than an http or https URL of scheme, host and port only"));
        }

        // https+http, in this order; and what was https stays so.
        var encrypted = urls.FindAll(IsEncrypted);
        if (encrypted.Count == 0 && urls.Count > 0 && _urls.TryGetValue(name, out var before) && before.Any(IsEncrypted))
        {
            throw new InvalidOperationException("ResolveNodes gave no https URL any more");
        }

        return [.. encrypted.Count > 0 || IsEncrypted(name) ? encrypted : urls];
    }

    // Two addresses of two families are two ways to one node, which the transport races. More of one family are more nodes; then
    // those of the other are likely the same nodes again, and the way to them where the first family leads nowhere.
    private async Task<FoundNode[]> NodesAsync(string url, CancellationToken cancellationToken)
    {
        var uri = new Uri(url);
        var all = await addresses!(uri, cancellationToken).ConfigureAwait(false);
        var families = all.Distinct().GroupBy(static address => address.AddressFamily).OrderByDescending(static family => family.Count()).ToArray();
        return all.Length == 0 ? []
            : families[0].Count() == 1 ? [new FoundNode(url, url)]
            : [.. families.SelectMany(family => family.Select(address => new FoundNode(UrlOf(address), url, IsSpare: family != families[0])))];

        string UrlOf(IPAddress address) => MemberUrl.Of(new UriBuilder(uri.Scheme, address.ToString(), uri.Port).Uri);
    }

    private static bool IsEncrypted(string url) => url.StartsWith("https:", StringComparison.Ordinal);

    private static bool HasName(string url) => Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.HostNameType == UriHostNameType.Dns;
}
