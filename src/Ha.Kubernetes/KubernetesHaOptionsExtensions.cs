using Ha;
using Ha.Kubernetes;
using k8s;
using k8s.Exceptions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Lets a Lease of Kubernetes decide who leads.</summary>
public static class KubernetesHaOptionsExtensions
{
    /// <summary>
    /// Adds the scheme <c>kubernetes</c> of <see cref="HaOptions.LeaseStore"/>: <c>kubernetes:[namespace/]name</c>, as in
    /// <c>BASE_LEASE_STORE=kubernetes:notes</c>. Without a namespace it is the pod's own, or that of kubeconfig's context, or
    /// <c>default</c>. Changes nothing while the setting names another scheme, or none.
    /// </summary>
    /// <param name="options">The options of this node.</param>
    /// <param name="configuration">
    /// Says where the API server is and who asks. Called at the start, and again when the server refuses the credentials or is
    /// not trusted, so that it should read its files anew. Default null: in a pod its service account, elsewhere kubeconfig.
    /// </param>
    /// <returns><paramref name="options"/>.</returns>
    public static HaOptions UseKubernetes(this HaOptions options, Func<KubernetesClientConfiguration>? configuration = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.LeaseStores["kubernetes"] = context => WrongSettings.Checked(() => Create(context, configuration));
        return options;
    }

    private static KubernetesLeaseStore Create(LeaseStoreContext context, Func<KubernetesClientConfiguration>? configuration)
    {
        try
        {
            return new KubernetesLeaseStore(context, configuration);
        }
        catch (KubeConfigException error)
        {
            throw new ArgumentException(
                $"BASE_LEASE_STORE (kubernetes:{context.Value}) has no credentials. {error.Message}", nameof(context), error);
        }
    }
}
