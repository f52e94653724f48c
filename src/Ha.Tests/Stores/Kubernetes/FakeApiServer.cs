using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Stores.Kubernetes;

/// <summary>The part of an API server that a Lease needs, on loopback: tokens, roles, watches, and faults on demand.</summary>
internal sealed class FakeApiServer : IAsyncDisposable
{
    private const string Leases = "/apis/coordination.k8s.io/v1/namespaces/{space}/leases";

    private readonly WebApplication _app;
    private readonly ConcurrentQueue<(string Method, FakeFault Fault)> _faults = new();
    private readonly ConcurrentQueue<string> _requests = new();
    private readonly ConcurrentDictionary<string, HttpContext> _streams = new(StringComparer.Ordinal);

    private FakeApiServer(X509Certificate2? certificate)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            if (certificate is not null)
            {
                listen.UseHttps(certificate);
            }
        }));
        _app = builder.Build();
        _app.Run(ServeAsync);
    }

    public FakeLeases Objects { get; } = new();

    /// <summary>Bearer tokens that are good now.</summary>
    public ConcurrentDictionary<string, bool> Tokens { get; } = new(StringComparer.Ordinal) { ["token-1"] = true };

    /// <summary>Rules of the caller's role: verbs, and the name that they are for; null: any.</summary>
    public IReadOnlyList<(string[] Verbs, string? Name)> Rules { get; set; } = [(["get", "create", "update", "watch"], null)];

    /// <summary>How a watch that asks for a forgotten version learns of it: by an event, as from the watch cache, or by the status.</summary>
    public bool GoneByStatus { get; set; }

    public Uri Address => new(_app.Urls.Single());

    /// <summary>Verb and name of each request that came, in order.</summary>
    public IReadOnlyList<string> Requests => [.. _requests];

    public static async Task<FakeApiServer> StartAsync(X509Certificate2? certificate = null)
    {
        var server = new FakeApiServer(certificate);
        await server._app.StartAsync();
        return server;
    }

    public int Count(string verb) => _requests.Count(request => request == verb);

    /// <param name="verb">Of Kubernetes: get, create, update, watch.</param>
    /// <param name="fault">Of the next request with this verb that no earlier fault is for.</param>
    public void Next(string verb, FakeFault fault) => _faults.Enqueue((verb, fault));

    /// <summary>Breaks the connections of all watches.</summary>
    public void CutWatches()
    {
        foreach (var stream in _streams.Values)
        {
            stream.Abort();
        }
    }

    public async ValueTask DisposeAsync()
    {
        CutWatches();
        using var soon = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(soon.Token);
        await _app.DisposeAsync();
    }

    private async Task ServeAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (path is not ["apis", "coordination.k8s.io", "v1", "namespaces", var space, "leases", ..] || path.Length > 7)
        {
            await FakeStatus.Write(context, HttpStatusCode.NotFound, $"the server could not find the requested resource; only {Leases} is here");
            return;
        }

        var name = path.Length is 7 ? path[6] : context.Request.Query["fieldSelector"].ToString() is { Length: > 0 } selector
            ? selector.Replace("metadata.name=", "", StringComparison.Ordinal) : null;
        var verb = context.Request.Method switch
        {
            "POST" => "create",
            "PUT" => "update",
            "GET" when path.Length is 7 => "get",
            "GET" when context.Request.Query["watch"] == "true" => "watch",
            _ => "list",
        };
        _requests.Enqueue(verb);
        await FaultOf(verb)(context, () => AuthorizeAsync(context, verb, space, name));
    }

    private FakeFault FaultOf(string verb)
    {
        lock (_faults)
        {
            var left = _faults.ToArray();
            var index = Array.FindIndex(left, fault => fault.Method == verb);
            if (index < 0)
            {
                return (_, serve) => serve();
            }

            _faults.Clear();
            foreach (var other in left.Where((_, at) => at != index))
            {
                _faults.Enqueue(other);
            }

            return left[index].Fault;
        }
    }

    private Task AuthorizeAsync(HttpContext context, string verb, string space, string? name)
    {
        var authorization = context.Request.Headers.Authorization.ToString();
        if (!authorization.StartsWith("Bearer ", StringComparison.Ordinal) || !Tokens.ContainsKey(authorization["Bearer ".Length..]))
        {
            return FakeStatus.Write(context, HttpStatusCode.Unauthorized, "Unauthorized");
        }

        // The name of what is created stands in the body only, which authorization does not see.
        var named = verb is "create" ? null : name;
        if (!Rules.Any(rule => rule.Verbs.Contains(verb, StringComparer.Ordinal) && (rule.Name is null || rule.Name == named)))
        {
            return FakeStatus.Write(context, HttpStatusCode.Forbidden,
                $"leases.coordination.k8s.io{(named is null ? "" : $" \"{named}\"")} is forbidden: User \"system:serviceaccount:{space}:notes\" cannot {verb} " +
                $"resource \"leases\" in API group \"coordination.k8s.io\" in the namespace \"{space}\"");
        }

        return verb switch
        {
            "get" => GetAsync(context, space, name!),
            "create" => WriteAsync(context, wanted => Objects.Create(space, wanted)),
            "update" => WriteAsync(context, wanted => Objects.Replace(space, name!, wanted)),
            "watch" => WatchAsync(context, $"{space}/{name}"),
            _ => FakeStatus.Write(context, HttpStatusCode.MethodNotAllowed, "the server does not allow this method on the requested resource"),
        };
    }

    private Task GetAsync(HttpContext context, string space, string name) => Objects.Get($"{space}/{name}") is { } there
        ? SendAsync(context, HttpStatusCode.OK, there)
        : FakeStatus.Write(context, HttpStatusCode.NotFound, $"leases.coordination.k8s.io \"{name}\" not found");

    private static async Task WriteAsync(HttpContext context, Func<JsonObject, (HttpStatusCode, JsonObject)> write)
    {
        var wanted = (JsonObject)(await JsonNode.ParseAsync(context.Request.Body))!;
        var (code, body) = write(wanted);
        await SendAsync(context, code, body);
    }

    private async Task WatchAsync(HttpContext context, string key)
    {
        var from = context.Request.Query["resourceVersion"].ToString();
        if (Objects.Watch(key, from) is not { } channel)
        {
            var status = FakeStatus.Of(HttpStatusCode.Gone, $"too old resource version: {from}");
            await (GoneByStatus
                ? SendAsync(context, HttpStatusCode.Gone, status)
                : SendAsync(context, HttpStatusCode.OK, new JsonObject { ["type"] = "ERROR", ["object"] = status }, "\n"));
            return;
        }

        _streams[context.TraceIdentifier] = context;
        try
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
            timeout.CancelAfter(TimeSpan.FromSeconds(int.Parse(context.Request.Query["timeoutSeconds"].ToString(), CultureInfo.InvariantCulture)));
            context.Response.ContentType = "application/json";
            await context.Response.StartAsync(timeout.Token);
            await foreach (var happened in channel.Reader.ReadAllAsync(timeout.Token))
            {
                var line = new JsonObject { ["type"] = happened.Type, ["object"] = happened.Object.DeepClone() };
                await context.Response.WriteAsync(line.ToJsonString() + "\n", timeout.Token);
                await context.Response.Body.FlushAsync(timeout.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The time that the client asked for is over, or the client is gone.
        }
        finally
        {
            _streams.TryRemove(context.TraceIdentifier, out _);
            Objects.Unwatch(channel);
        }
    }

    private static Task SendAsync(HttpContext context, HttpStatusCode code, JsonObject body, string end = "")
    {
        context.Response.StatusCode = (int)code;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(body.ToJsonString() + end);
    }
}
