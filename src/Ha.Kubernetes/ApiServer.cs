using System.Net;
using System.Net.Security;
using System.Runtime.CompilerServices;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Ha.Kubernetes;

/// <summary>
/// The calls on one Lease, each tried once. The credentials are read anew, and the call made again, when the server refuses
/// them or its certificate is not trusted: tokens and authorities change while a process runs.
/// </summary>
internal sealed class ApiServer : IDisposable
{
    private const string FieldManager = "ha";
    private static readonly TimeSpan _shortestConnect = TimeSpan.FromMilliseconds(250);

    private readonly Func<KubernetesClientConfiguration> _configuration;
    private readonly TimeSpan _lease;
    private readonly RetryAfter _calls;

    /// <summary>Its own, so that a server which wants fewer watches does not keep the leader from renewing.</summary>
    private readonly RetryAfter _watches;

    private readonly Lock _lock = new();
    private k8s.Kubernetes _client;

    /// <summary>Calls may still run on it; those on the one before it have long ended.</summary>
    private k8s.Kubernetes? _former;

    /// <param name="configuration">Called now, and for new credentials.</param>
    /// <param name="name">The Lease.</param>
    /// <param name="lease">A call that takes longer has no use.</param>
    /// <param name="time">Measures how long the server asked to wait.</param>
    public ApiServer(Func<KubernetesClientConfiguration> configuration, LeaseName name, TimeSpan lease, TimeProvider time)
    {
        _configuration = configuration;
        _lease = lease;
        (_calls, _watches) = (new RetryAfter(time), new RetryAfter(time));
        var first = configuration();
        Namespace = name.Namespace ?? (first.Namespace?.Trim() is { Length: > 0 } own ? own : "default");
        Name = name.Name;
        _client = Connect(first);
    }

    public string Namespace { get; }

    public string Name { get; }

    public Uri Address => Client.BaseUri;

    private k8s.Kubernetes Client
    {
        get
        {
            lock (_lock)
            {
                return _client;
            }
        }
    }

    /// <summary>Null: there is none.</summary>
    public Task<V1Lease?> GetAsync(CancellationToken cancellationToken) =>
        CallAsync<V1Lease?>(async (client, token) =>
        {
            try
            {
                // Without a resource version: the newest, by a quorum of etcd.
                return await client.CoordinationV1.ReadNamespacedLeaseAsync(Name, Namespace, cancellationToken: token);
            }
            catch (HttpOperationException error) when (error.Response.StatusCode is HttpStatusCode.NotFound)
            {
                return null;
            }
        }, _calls, cancellationToken);

    /// <summary>Null: there is one already.</summary>
    public Task<V1Lease?> CreateAsync(V1Lease lease, CancellationToken cancellationToken) =>
        CallAsync<V1Lease?>(async (client, token) =>
        {
            try
            {
                return await client.CoordinationV1.CreateNamespacedLeaseAsync(lease, Namespace, fieldManager: FieldManager, cancellationToken: token);
            }
            catch (HttpOperationException error) when (error.Response.StatusCode is HttpStatusCode.Conflict)
            {
                return null;
            }
        }, _calls, cancellationToken);

    /// <summary>Null: the Lease has another resource version or uid than <paramref name="lease"/> says, or is gone.</summary>
    public Task<V1Lease?> ReplaceAsync(V1Lease lease, CancellationToken cancellationToken) =>
        CallAsync<V1Lease?>(async (client, token) =>
        {
            try
            {
                return await client.CoordinationV1.ReplaceNamespacedLeaseAsync(
                    lease, Name, Namespace, fieldManager: FieldManager, cancellationToken: token);
            }
            catch (HttpOperationException error) when (error.Response.StatusCode is HttpStatusCode.Conflict or HttpStatusCode.NotFound)
            {
                return null;
            }
        }, _calls, cancellationToken);

    /// <summary>
    /// What happens to the Lease after <paramref name="from"/>; null: what there is now, then what happens. Ends when the server
    /// ends it, after <paramref name="seconds"/> at the latest.
    /// </summary>
    /// <exception cref="KubernetesException">In place of an event: 410 when <paramref name="from"/> is too old.</exception>
    public async IAsyncEnumerable<(WatchEventType Type, V1Lease Lease)> WatchAsync(
        string? from, int seconds, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Exception? failure = null;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var each = await CallAsync(OpenAsync, _watches, cancellationToken);
        while (await NextAsync(each))
        {
            yield return each.Current;
        }

        // Answers when the first event is there: what the server refuses is seen in its place.
        async Task<IAsyncEnumerator<(WatchEventType, V1Lease)>> OpenAsync(k8s.Kubernetes client, CancellationToken token)
        {
            var events = client.CoordinationV1.WatchListNamespacedLeaseAsync(
                Namespace, allowWatchBookmarks: true, fieldSelector: $"metadata.name={Name}", resourceVersion: from, timeoutSeconds: seconds,
                onError: Fail, cancellationToken: ended.Token).GetAsyncEnumerator(ended.Token);
            return new Opened<(WatchEventType, V1Lease)>(events, await NextAsync(events));
        }

        // The client reports what it cannot read as an event by callback, and reads on.
        void Fail(Exception error)
        {
            failure ??= error;
            ended.Cancel();
        }

        async Task<bool> NextAsync(IAsyncEnumerator<(WatchEventType, V1Lease)> events)
        {
            try
            {
                return await events.MoveNextAsync() || (failure is not null ? throw failure : false);
            }
            catch (OperationCanceledException) when (failure is not null)
            {
                throw failure;
            }
        }
    }

    /// <summary>Before the next watch.</summary>
    public TimeSpan AskedToWait => _calls.Remaining > _watches.Remaining ? _calls.Remaining : _watches.Remaining;

    public void Dispose()
    {
        lock (_lock)
        {
            _former?.Dispose();
            _client.Dispose();
        }
    }

    private async Task<T> CallAsync<T>(
        Func<k8s.Kubernetes, CancellationToken, Task<T>> call, RetryAfter retryAfter, CancellationToken cancellationToken)
    {
        retryAfter.ThrowIfNotOver();
        var client = Client;
        try
        {
            try
            {
                return await call(client, cancellationToken).WaitAsync(cancellationToken);
            }
            catch (Exception error) when (MayBeOldCredentials(error))
            {
                client = await RenewAsync(client).WaitAsync(cancellationToken);
                return await call(client, cancellationToken).WaitAsync(cancellationToken);
            }
        }
        catch (HttpOperationException error)
        {
            var wait = retryAfter.Note(error.Response);
            throw new HttpRequestException(HttpRequestError.Unknown, Refusal.Describe(error.Response, this, wait), error, error.Response.StatusCode);
        }
        catch (OperationCanceledException error) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"The API server {client.BaseUri} did not answer within {_lease}.", error);
        }
    }

    /// <summary>Neither says that anything was executed.</summary>
    private static bool MayBeOldCredentials(Exception error) =>
        error is HttpOperationException { Response.StatusCode: HttpStatusCode.Unauthorized }
            or HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError };

    /// <summary>On another thread: a credential plugin of kubeconfig is a process that takes its time.</summary>
    private Task<k8s.Kubernetes> RenewAsync(k8s.Kubernetes refused) => Task.Run(() =>
    {
        if (Client is var current && current != refused)
        {
            return current;
        }

        var renewed = Connect(_configuration());
        lock (_lock)
        {
            _former?.Dispose();
            (_former, _client) = (_client, renewed);
            return renewed;
        }
    });

    private k8s.Kubernetes Connect(KubernetesClientConfiguration configuration)
    {
        SocketsHttpHandler? inner = null;
        var setup = configuration.FirstMessageHandlerSetup;
        configuration.FirstMessageHandlerSetup = handler =>
        {
            inner = handler;
            handler.ConnectTimeout = TimeSpan.FromTicks(Math.Max((_lease / 3).Ticks, _shortestConnect.Ticks));
            setup?.Invoke(handler);
        };
        try
        {
            var client = new k8s.Kubernetes(configuration, new BoundedAnswers()) { HttpClientTimeout = _lease };
            if (!configuration.SkipTlsVerify)
            {
                RequireName(inner!);
            }

            return client;
        }
        finally
        {
            configuration.FirstMessageHandlerSetup = setup;
        }
    }

    /// <summary>The client takes any certificate of the cluster's authority for the API server's, whatever name it is for.</summary>
    private static void RequireName(SocketsHttpHandler handler)
    {
        if (handler.SslOptions.RemoteCertificateValidationCallback is { } chain)
        {
            handler.SslOptions.RemoteCertificateValidationCallback = (sender, certificate, built, errors) =>
                (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) is SslPolicyErrors.None && chain(sender, certificate, built, errors);
        }
    }
}
