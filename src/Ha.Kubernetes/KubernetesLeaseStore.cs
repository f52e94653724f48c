using k8s;
using k8s.Models;

namespace Ha.Kubernetes;

/// <summary>
/// Keeps a cluster's record in a Lease of <c>coordination.k8s.io/v1</c>. The API server replaces it only where its resource
/// version is the expected one, so that one of several claimants wins; the times in it are for people.
/// </summary>
/// <remarks>
/// It keeps no list of members and no age of the record. Labels, annotations and fields of others are kept. A Lease without our
/// annotations counts as held by whom it names, or by one unknown, for as long as it says.
/// </remarks>
public sealed class KubernetesLeaseStore : ILeaseStore
{
    private readonly TimeSpan _lease;
    private readonly TimeProvider _time;
    private readonly ApiServer _server;
    private readonly LeaseWatch _watch;

    /// <summary>The Lease as it was last seen, to replace it without asking for what others wrote into it.</summary>
    private V1Lease? _seen;

    /// <param name="context">Its value is <c>[namespace/]name</c>. A cluster id other than the default one is appended to the name.</param>
    /// <param name="configuration">As of <c>UseKubernetes</c>.</param>
    /// <exception cref="ArgumentException">The name is none.</exception>
    /// <exception cref="k8s.Exceptions.KubeConfigException">There are no credentials.</exception>
    public KubernetesLeaseStore(LeaseStoreContext context, Func<KubernetesClientConfiguration>? configuration = null)
    {
        ArgumentNullException.ThrowIfNull(context);
        _lease = context.Lease;
        _time = (TimeProvider?)context.Services?.GetService(typeof(TimeProvider)) ?? TimeProvider.System;
        _server = new ApiServer(configuration ?? Credentials.Read, LeaseName.Parse(context.Value, context.ClusterId), context.Lease, _time);
        _watch = new LeaseWatch(_server, _time);
    }

    /// <inheritdoc/>
    public string Description => $"Kubernetes {_server.Address}, lease {_server.Namespace}/{_server.Name}";

    /// <inheritdoc/>
    public async Task<LeaseAnswer> ReadAsync(LeaseMember self, CancellationToken cancellationToken) =>
        Answer(written: false, await _server.GetAsync(cancellationToken));

    /// <inheritdoc/>
    public async Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        var before = expected is null ? null : await FindAsync(expected, cancellationToken);
        if (expected is not null && (before is null || LeaseObject.VersionOf(before) != expected))
        {
            return Answer(written: false, before);
        }

        var stamp = LeaseObject.NewStamp();
        var wanted = LeaseObject.From(record, before, _server.Name, stamp, _time.GetUtcNow().UtcDateTime);
        var written = before is null
            ? await _server.CreateAsync(wanted, cancellationToken)
            : await _server.ReplaceAsync(wanted, cancellationToken);
        if (written is not null)
        {
            return Answer(written: true, written);
        }

        // Lost, unless the request was sent twice on its way and its own first copy stands there.
        var now = await _server.GetAsync(cancellationToken);
        return Answer(now is not null && LeaseObject.StampOf(now) == stamp, now);
    }

    /// <inheritdoc/>
    /// <exception cref="HttpRequestException">The server refuses to be watched: the right to do so may be missing.</exception>
    public Task WaitForChangeAsync(CancellationToken cancellationToken) => _watch.WaitAsync(cancellationToken);

    /// <summary>Does nothing: there is no list of members.</summary>
    /// <inheritdoc/>
    public Task LeaveAsync(LeaseMember self, CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested ? Task.FromCanceled(cancellationToken) : Task.CompletedTask;

    /// <summary>Ends the watch and the connections.</summary>
    public async ValueTask DisposeAsync()
    {
        await _watch.DisposeAsync();
        _server.Dispose();
    }

    /// <summary>The Lease as it was seen with this version, else as it is now.</summary>
    private async Task<V1Lease?> FindAsync(string version, CancellationToken cancellationToken) =>
        Volatile.Read(ref _seen) is { } seen && LeaseObject.VersionOf(seen) == version ? seen : await _server.GetAsync(cancellationToken);

    private LeaseAnswer Answer(bool written, V1Lease? lease)
    {
        Volatile.Write(ref _seen, lease);
        return new LeaseAnswer
        {
            Written = written,
            Record = lease is null ? null : LeaseObject.ToRecord(lease, _lease),
            Version = lease is null ? null : LeaseObject.VersionOf(lease),
        };
    }
}
