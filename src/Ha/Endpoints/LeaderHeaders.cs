using System.Globalization;
using Ha.Configuration;
using Ha.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Ha.Endpoints;

/// <summary>
/// Sets <c>X-Base-Leader</c>, <c>X-Base-Epoch</c> and <c>X-Base-Node</c> as late as possible, so that a write that was
/// held tells of the leader that took it. Costs no allocation while the leader stays. Thread-safe.
/// </summary>
/// <remarks>
/// Callbacks run last in, first out, and this one is registered first: the app cannot set a header after it.
/// A response that the server makes without the pipeline (a malformed request, an unhandled exception) has no headers of ours.
/// </remarks>
internal sealed class LeaderHeaders
{
    private readonly ILeaderProvider _provider;
    private readonly bool _show;
    private readonly StringValues _nodeId;
    private readonly Func<object, Task> _onStarting;
    private Values? _values;

    public LeaderHeaders(ILeaderProvider provider, HaSettings settings)
    {
        _provider = provider;
        _show = settings.PublicInfo;

        // Ids are checked at start; one that no header can carry must still not break every response.
        _nodeId = settings.NodeId.All(c => c is > ' ' and < '\x7f') ? settings.NodeId : HaHeaders.EncodeId(settings.NodeId);
        _onStarting = OnStarting;
    }

    public void Register(HttpContext context) => context.Response.OnStarting(_onStarting, context);

    private Task OnStarting(object state)
    {
        var context = (HttpContext)state;
        NotExecutedMark.StripForeign(context);
        var headers = context.Response.Headers;
        if (!_show)
        {
            // The leader's own headers may have come back through the proxy.
            headers.Remove(HaHeaders.Leader);
            headers.Remove(HaHeaders.Epoch);
            headers.Remove(HaHeaders.Node);
            return Task.CompletedTask;
        }

        var values = Current();
        headers[HaHeaders.Node] = _nodeId;
        headers[HaHeaders.Epoch] = values.EpochText;
        if (values.LeaderUrl is null)
        {
            headers.Remove(HaHeaders.Leader);
        }
        else
        {
            headers[HaHeaders.Leader] = values.LeaderText;
        }

        return Task.CompletedTask;
    }

    private Values Current()
    {
        var snapshot = _provider.Current;
        var known = snapshot.KnowsLeader;
        var url = known ? snapshot.LeaderUrl : null;
        var epoch = known ? snapshot.Epoch : 0;
        var values = Volatile.Read(ref _values);
        if (values is not null && values.Epoch == epoch && string.Equals(values.LeaderUrl, url, StringComparison.Ordinal))
        {
            return values;
        }

        values = new Values(url, epoch);
        Volatile.Write(ref _values, values);
        return values;
    }

    private sealed class Values(string? leaderUrl, long epoch)
    {
        public string? LeaderUrl { get; } = leaderUrl;

        public long Epoch { get; } = epoch;

        public StringValues LeaderText { get; } = leaderUrl;

        public StringValues EpochText { get; } = epoch.ToString(CultureInfo.InvariantCulture);
    }
}
