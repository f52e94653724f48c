using System.Globalization;
using System.Security.Cryptography;
using k8s;
using k8s.Models;

namespace Ha.Kubernetes;

/// <summary>
/// A record as a Lease of <c>coordination.k8s.io/v1</c>. What people and other electors look for stands in its spec, everything
/// else in annotations. A Lease that another elector or a person wrote is read as far as it goes.
/// </summary>
internal static class LeaseObject
{
    public const string Holder = "ha.base/holder";
    public const string Incarnation = "ha.base/incarnation";
    public const string Epoch = "ha.base/epoch";
    public const string Duration = "ha.base/duration";
    public const string Url = "ha.base/url";
    public const string Target = "ha.base/target";
    public const string Successor = "ha.base/successor";

    /// <summary>
    /// Differs in each writing. The API server takes a replacement that changes nothing for none and keeps the resource version;
    /// a writing must never be mistaken for the one before.
    /// </summary>
    public const string Stamp = "ha.base/write";

    /// <summary>The holder of a Lease that does not say who holds it and that no member wrote.</summary>
    public const string Unknown = "?";

    private const long MaxEpoch = 1L << 53;

    /// <summary>No process: 32 digits like any other, which nobody draws.</summary>
    private static readonly string _nobody = new('0', 32);

    public static string NewStamp() => RandomNumberGenerator.GetHexString(16, lowercase: true);

    public static string? StampOf(V1Lease lease) => Read(lease, Stamp);

    /// <summary>
    /// The resource version alone names one writing among those of one object; the uid tells objects apart that had the name one
    /// after the other.
    /// </summary>
    public static string VersionOf(V1Lease lease) => $"{lease.Metadata?.Uid}/{lease.Metadata?.ResourceVersion}";

    /// <param name="lease">As the server gave it.</param>
    /// <param name="usual">The duration of a lease that names none.</param>
    public static LeaseRecord ToRecord(V1Lease lease, TimeSpan usual)
    {
        // Released is only what a member released. Where somebody else took the holder out, or made an empty Lease in place of a
        // deleted one, the leader may still be at work: it is shown as before, or as one unknown, who does not renew.
        var annotated = Read(lease, Holder);
        var holder = lease.Spec?.HolderIdentity is { Length: > 0 } identity ? identity : annotated ?? Unknown;

        // Who changes the holder without us leaves our annotations behind. They speak of another leadership then, except for the
        // epoch, which must never fall.
        var ours = annotated == holder;

        // A release lasts zero, which the spec cannot say. Read as a second it would be a holder who went without a word, waited for.
        var least = holder is "" ? TimeSpan.Zero : TimeSpan.FromTicks(1);
        return new LeaseRecord
        {
            HolderId = holder is "" ? null : holder,
            Incarnation = ours && Read(lease, Incarnation) is { Length: > 0 } incarnation ? incarnation : _nobody,
            Epoch = long.TryParse(Read(lease, Epoch), NumberStyles.None, CultureInfo.InvariantCulture, out var epoch)
                && epoch is >= 1 and <= MaxEpoch ? epoch : 1,
            Duration = ours && TimeSpan.TryParseExact(Read(lease, Duration), "c", CultureInfo.InvariantCulture, out var exact) && exact >= least
                ? exact
                : lease.Spec?.LeaseDurationSeconds is int seconds and > 0 ? TimeSpan.FromSeconds(seconds) : usual,
            Url = ours ? Read(lease, Url) ?? "" : "",
            Target = ours ? Read(lease, Target) ?? "" : "",
            Successor = ours && Read(lease, Successor) is { Length: > 0 } successor ? successor : null,
        };
    }

    /// <summary>The object to send.</summary>
    /// <param name="record">What it shall say.</param>
    /// <param name="before">What it replaces; whatever is not ours is kept. Null: nothing.</param>
    /// <param name="name">Of the object.</param>
    /// <param name="stamp">Of this writing.</param>
    /// <param name="wall">For people only.</param>
    public static V1Lease From(LeaseRecord record, V1Lease? before, string name, string stamp, DateTime wall)
    {
        var lease = before is null ? new V1Lease() : Copy(before);
        lease.ApiVersion = $"{V1Lease.KubeGroup}/{V1Lease.KubeApiVersion}";
        lease.Kind = V1Lease.KubeKind;
        lease.Metadata ??= new V1ObjectMeta();
        lease.Metadata.Name = name;
        lease.Metadata.ManagedFields = null;
        lease.Metadata.Annotations ??= new Dictionary<string, string>(StringComparer.Ordinal);
        lease.Spec ??= new V1LeaseSpec();
        if (record.HolderId is not null && IsTakenOver(record, before))
        {
            lease.Spec.AcquireTime = wall;
            lease.Spec.LeaseTransitions = before is null ? 0 : (lease.Spec.LeaseTransitions ?? 0) + 1;
        }

        lease.Spec.HolderIdentity = record.HolderId;
        lease.Spec.LeaseDurationSeconds = Math.Max(1, (int)Math.Ceiling(record.Duration.TotalSeconds));
        lease.Spec.AcquireTime = WithFraction(lease.Spec.AcquireTime);
        lease.Spec.RenewTime = WithFraction(wall);
        Write(Holder, record.HolderId ?? "");
        Write(Incarnation, record.Incarnation);
        Write(Epoch, record.Epoch.ToString(CultureInfo.InvariantCulture));
        Write(Duration, record.Duration.ToString("c", CultureInfo.InvariantCulture));
        Write(Url, record.Url);
        Write(Target, record.Target);
        Write(Successor, record.Successor ?? "");
        Write(Stamp, stamp);
        return lease;

        void Write(string key, string value) => lease.Metadata.Annotations[key] = value;
    }

    /// <summary>
    /// The client writes a whole second without a fraction, and the API server refuses a MicroTime without one. A tenth of a
    /// microsecond makes it write six zeros.
    /// </summary>
    private static DateTime? WithFraction(DateTime? time) => time is { } at && at.Ticks % TimeSpan.TicksPerSecond is 0 ? at.AddTicks(1) : time;

    private static bool IsTakenOver(LeaseRecord record, V1Lease? before) =>
        before?.Spec?.HolderIdentity != record.HolderId || Read(before, Incarnation) != record.Incarnation;

    private static V1Lease Copy(V1Lease lease) => KubernetesJson.Deserialize<V1Lease>(KubernetesJson.Serialize(lease));

    private static string? Read(V1Lease? lease, string key) => lease?.Metadata?.Annotations?.TryGetValue(key, out var value) is true ? value : null;
}
