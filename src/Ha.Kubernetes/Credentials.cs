using k8s;
using k8s.Exceptions;

namespace Ha.Kubernetes;

/// <summary>Where the API server is and who asks.</summary>
internal static class Credentials
{
    /// <summary>Of the pod's service account, elsewhere of kubeconfig: <c>KUBECONFIG</c>, else <c>~/.kube/config</c>.</summary>
    /// <exception cref="KubeConfigException">There is neither, or it is wrong.</exception>
    public static KubernetesClientConfiguration Read()
    {
        if (KubernetesClientConfiguration.IsInCluster())
        {
            return KubernetesClientConfiguration.InClusterConfig();
        }

        // Without any file the client falls back to a port of this machine, which nobody meant.
        var configuration = KubernetesClientConfiguration.BuildDefaultConfig();
        return configuration.CurrentContext is not null
            ? configuration
            : throw new KubeConfigException(
                "This process runs in no pod with a service account, and there is no kubeconfig with a current context. In a pod, set " +
                "automountServiceAccountToken: true; elsewhere set KUBECONFIG.");
    }
}
