using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Threading.Channels;

namespace Ha.Tests.Stores.Kubernetes;

/// <summary>
/// The objects of an API server and their history, by the rules of Kubernetes (API concepts; registry and validation of
/// <c>coordination.k8s.io/v1</c>): one resource version for all of them, a replacement only of the version that it names, a
/// uid as a precondition, and no new version where nothing changes.
/// </summary>
internal sealed partial class FakeLeases
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, JsonObject> _objects = [];
    private readonly List<FakeEvent> _history = [];
    private readonly List<(string Key, Channel<FakeEvent> Channel)> _watches = [];
    private long _version = 1000;
    private long _compacted;

    public HashSet<string> Namespaces { get; } = ["default", "shop"];

    public int WatchCount
    {
        get
        {
            lock (_lock)
            {
                return _watches.Count;
            }
        }
    }

    public JsonObject? Get(string key)
    {
        lock (_lock)
        {
            return (JsonObject?)_objects.GetValueOrDefault(key)?.DeepClone();
        }
    }

    public (HttpStatusCode Code, JsonObject Body) Create(string space, JsonObject wanted)
    {
        lock (_lock)
        {
            var name = (string?)wanted["metadata"]?["name"];
            if (!Namespaces.Contains(space))
            {
                return Refuse(HttpStatusCode.NotFound, $"namespaces \"{space}\" not found");
            }

            if (name is null || FindFault(wanted) is not null)
            {
                return Refuse(HttpStatusCode.UnprocessableEntity, FindFault(wanted) ?? "metadata.name: Required value");
            }

            if (_objects.ContainsKey($"{space}/{name}"))
            {
                var (code, body) = Refuse(HttpStatusCode.Conflict, $"leases.coordination.k8s.io \"{name}\" already exists");
                body["reason"] = "AlreadyExists";
                return (code, body);
            }

            if (wanted["metadata"]!["resourceVersion"] is not null)
            {
                return Refuse(HttpStatusCode.InternalServerError, "resourceVersion should not be set on objects to be created");
            }

            return (HttpStatusCode.Created, Add(space, name, wanted));
        }
    }

    public (HttpStatusCode Code, JsonObject Body) Replace(string space, string name, JsonObject wanted)
    {
        lock (_lock)
        {
            var (uid, version) = ((string?)wanted["metadata"]?["uid"], (string?)wanted["metadata"]?["resourceVersion"]);
            var there = _objects.GetValueOrDefault($"{space}/{name}");
            var actual = (string?)there?["metadata"]!["uid"] ?? "";
            if ((string?)wanted["metadata"]?["name"] != name)
            {
                return Refuse(HttpStatusCode.BadRequest, "the name of the object does not match the name on the URL");
            }

            if (uid is { Length: > 0 } && uid != actual)
            {
                return Conflict(name, $"StorageError: invalid object, Code: 4, Precondition failed: UID in precondition: {uid}, UID in object meta: {actual}");
            }

            if (there is null)
            {
                // Leases may be created by PUT.
                return FindFault(wanted) is { } wrong ? Refuse(HttpStatusCode.UnprocessableEntity, wrong) : (HttpStatusCode.Created, Add(space, name, wanted));
            }

            if (version is null or "" or "0")
            {
                return Refuse(HttpStatusCode.UnprocessableEntity, "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update");
            }

            if (version != (string?)there["metadata"]!["resourceVersion"])
            {
                return Conflict(name, "the object has been modified; please apply your changes to the latest version and try again");
            }

            return FindFault(wanted) is { } fault ? Refuse(HttpStatusCode.UnprocessableEntity, fault) : (HttpStatusCode.OK, Change(space, name, there, wanted));
        }
    }

    public bool Delete(string key)
    {
        lock (_lock)
        {
            if (!_objects.Remove(key, out var gone))
            {
                return false;
            }

            gone["metadata"]!["resourceVersion"] = Next();
            Tell(new FakeEvent("DELETED", key, _version, gone));
            return true;
        }
    }

    /// <summary>Somebody with other tools changes an object, whatever version it has.</summary>
    public void Edit(string key, Action<JsonObject> change)
    {
        lock (_lock)
        {
            var edited = (JsonObject)_objects[key].DeepClone();
            change(edited);
            var name = key.Split('/');
            Change(name[0], name[1], _objects[key], edited);
        }
    }

    /// <summary>Something else in the cluster changes.</summary>
    public void ChangeSomethingElse()
    {
        lock (_lock)
        {
            Next();
        }
    }

    /// <summary>Forgets the history, as etcd does every five minutes.</summary>
    public void Compact()
    {
        lock (_lock)
        {
            _history.Clear();
            _compacted = _version;
        }
    }

    public void SendBookmarks()
    {
        lock (_lock)
        {
            foreach (var (key, channel) in _watches)
            {
                channel.Writer.TryWrite(new FakeEvent("BOOKMARK", key, _version, new JsonObject
                {
                    ["kind"] = "Lease",
                    ["apiVersion"] = "coordination.k8s.io/v1",
                    ["metadata"] = new JsonObject { ["resourceVersion"] = Text(_version) },
                }));
            }
        }
    }

    public void EndWatches()
    {
        lock (_lock)
        {
            _watches.ForEach(watch => watch.Channel.Writer.TryComplete());
        }
    }

    /// <summary>Null: what follows this version is forgotten.</summary>
    /// <param name="key">Of the object.</param>
    /// <param name="from">Empty: first what there is, then what happens.</param>
    public Channel<FakeEvent>? Watch(string key, string from)
    {
        lock (_lock)
        {
            var channel = Channel.CreateUnbounded<FakeEvent>();
            if (from is "" or "0")
            {
                if (_objects.TryGetValue(key, out var there))
                {
                    channel.Writer.TryWrite(new FakeEvent("ADDED", key, _version, (JsonObject)there.DeepClone()));
                }
            }
            else
            {
                var version = long.Parse(from, CultureInfo.InvariantCulture);
                if (version < _compacted)
                {
                    return null;
                }

                foreach (var past in _history.Where(past => past.Key == key && past.Version > version))
                {
                    channel.Writer.TryWrite(past);
                }
            }

            _watches.Add((key, channel));
            return channel;
        }
    }

    public void Unwatch(Channel<FakeEvent> channel)
    {
        lock (_lock)
        {
            _watches.RemoveAll(watch => watch.Channel == channel);
        }
    }

    private JsonObject Add(string space, string name, JsonObject wanted)
    {
        var added = (JsonObject)wanted.DeepClone();
        added["metadata"]!["namespace"] = space;
        added["metadata"]!["uid"] = Guid.NewGuid().ToString();
        added["metadata"]!["resourceVersion"] = Next();
        added["metadata"]!["creationTimestamp"] = "2025-01-01T00:00:00Z";
        _objects[$"{space}/{name}"] = added;
        Tell(new FakeEvent("ADDED", $"{space}/{name}", _version, (JsonObject)added.DeepClone()));
        return (JsonObject)added.DeepClone();
    }

    private JsonObject Change(string space, string name, JsonObject there, JsonObject wanted)
    {
        var changed = (JsonObject)wanted.DeepClone();
        foreach (var kept in (string[])["namespace", "uid", "creationTimestamp", "resourceVersion"])
        {
            changed["metadata"]![kept] = there["metadata"]![kept]!.DeepClone();
        }

        if (!JsonNode.DeepEquals(changed, there))
        {
            changed["metadata"]!["resourceVersion"] = Next();
            _objects[$"{space}/{name}"] = changed;
            Tell(new FakeEvent("MODIFIED", $"{space}/{name}", _version, (JsonObject)changed.DeepClone()));
        }

        return (JsonObject)changed.DeepClone();
    }

    private void Tell(FakeEvent happened)
    {
        _history.Add(happened);
        foreach (var (_, channel) in _watches.Where(watch => watch.Key == happened.Key))
        {
            channel.Writer.TryWrite(happened);
        }
    }

    private string Next() => Text(++_version);

    private static string Text(long version) => version.ToString(CultureInfo.InvariantCulture);

    private static string? FindFault(JsonObject lease)
    {
        var spec = lease["spec"];
        return (int?)spec?["leaseDurationSeconds"] is <= 0 ? "spec.leaseDurationSeconds: Invalid value: must be greater than 0"
            : (int?)spec?["leaseTransitions"] is < 0 ? "spec.leaseTransitions: Invalid value: must be greater than or equal to 0"
            : ((string[])["acquireTime", "renewTime"]).FirstOrDefault(time => (string?)spec?[time] is { } text && !MicroTime().IsMatch(text)) is { } wrong
                ? $"Lease in version \"v1\" cannot be handled as a Lease: parsing time in spec.{wrong} as \"2006-01-02T15:04:05.000000Z07:00\""
            : null;
    }

    private static (HttpStatusCode Code, JsonObject Body) Conflict(string name, string why) =>
        Refuse(HttpStatusCode.Conflict, $"Operation cannot be fulfilled on leases.coordination.k8s.io \"{name}\": {why}");

    private static (HttpStatusCode Code, JsonObject Body) Refuse(HttpStatusCode code, string message) => (code, FakeStatus.Of(code, message));

    [GeneratedRegex(@"\A\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}(Z|[+-]\d{2}:\d{2})\z", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex MicroTime();
}

/// <param name="Type">ADDED, MODIFIED, DELETED or BOOKMARK.</param>
/// <param name="Key">Namespace and name.</param>
/// <param name="Version">When it happened.</param>
/// <param name="Object">As it is sent.</param>
internal sealed record FakeEvent(string Type, string Key, long Version, JsonObject Object);
