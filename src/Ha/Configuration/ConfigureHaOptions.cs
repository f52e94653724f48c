using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Ha.Configuration;

/// <summary>
/// Fills the options from the <c>BASE_*</c> keys of <see cref="IConfiguration"/>: environment, files, user secrets
/// and command line alike. An application without configuration has only its delegate.
/// </summary>
internal sealed class ConfigureHaOptions(IConfiguration? configuration = null, IServiceProvider? services = null)
    : IConfigureOptions<HaOptions>
{
    public void Configure(HaOptions options)
    {
        options.ApplicationServices = services;
        if (configuration is null)
        {
            return;
        }

        options.KeysFound.AddRange(KeyNames.SetIn(configuration));
        var read = new SettingReader(configuration, options.Malformed);

        options.NodeId = read.Text(HaKeys.NodeId) ?? options.NodeId;
        options.LocalTarget = read.Text(HaKeys.LocalTarget) ?? options.LocalTarget;
        options.PublicTarget = read.Text(HaKeys.PublicTarget) ?? options.PublicTarget;
        Replace(options.Peers, read.List(HaKeys.Peers));
        options.StaticLeader = read.Text(HaKeys.StaticLeader) ?? options.StaticLeader;
        options.LeaseStore = read.Text(HaKeys.LeaseStore) ?? options.LeaseStore;
        Replace(options.ClusterSecrets, read.List(HaKeys.ClusterSecret));
        options.ClusterSecretFile = read.Text(HaKeys.ClusterSecretFile) ?? options.ClusterSecretFile;
        options.NodeKey = read.Text(HaKeys.NodeKey) ?? options.NodeKey;
        options.NodeKeyFile = read.Text(HaKeys.NodeKeyFile) ?? options.NodeKeyFile;
        Replace(options.PeerKeys, read.List(HaKeys.PeerKeys));
        options.Insecure = read.Flag(HaKeys.Insecure) ?? options.Insecure;
        options.CaFile = read.Text(HaKeys.CaFile) ?? options.CaFile;
        options.ClientCertFile = read.Text(HaKeys.ClientCertFile) ?? options.ClientCertFile;
        options.ClientKeyFile = read.Text(HaKeys.ClientKeyFile) ?? options.ClientKeyFile;
        options.HeartbeatInterval = read.Duration(HaKeys.HeartbeatInterval) ?? options.HeartbeatInterval;
        options.LeaseTimeout = read.Duration(HaKeys.LeaseTimeout) ?? options.LeaseTimeout;
        options.Quorum = read.OneOf<QuorumMode>(HaKeys.Quorum) ?? options.Quorum;
        options.Preempt = read.OneOf<Preemption>(HaKeys.Preempt) ?? options.Preempt;
        options.Witness = read.Flag(HaKeys.Witness) ?? options.Witness;
        options.ClusterId = read.Text(HaKeys.ClusterId) ?? options.ClusterId;
        options.ForwardMode = read.OneOf<ForwardMode>(HaKeys.ForwardMode) ?? options.ForwardMode;
        options.ForwardOverride = read.Flag(HaKeys.ForwardOverride) ?? options.ForwardOverride;
        Replace(options.ForwardNever, read.List(HaKeys.ForwardNever));
        Replace(options.ForwardAlways, read.List(HaKeys.ForwardAlways));
        options.WriteHold = read.Duration(HaKeys.WriteHold) ?? options.WriteHold;
        options.WriteHoldMax = read.Number(HaKeys.WriteHoldMax) ?? options.WriteHoldMax;
        options.DrainTimeout = read.Duration(HaKeys.DrainTimeout) ?? options.DrainTimeout;
        options.ShutdownDelay = read.Duration(HaKeys.ShutdownDelay) ?? options.ShutdownDelay;
        options.AdminToken = read.Text(HaKeys.AdminToken) ?? options.AdminToken;
        options.AdminTokenFile = read.Text(HaKeys.AdminTokenFile) ?? options.AdminTokenFile;
        options.PublicInfo = read.Flag(HaKeys.PublicInfo) ?? options.PublicInfo;
        options.StatusPage = read.Flag(HaKeys.StatusPage) ?? options.StatusPage;
    }

    private static void Replace(IList<string> list, string[] values)
    {
        if (values.Length == 0)
        {
            return;
        }

        list.Clear();
        foreach (var value in values)
        {
            list.Add(value);
        }
    }
}
