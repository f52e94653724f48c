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

        try
        {
            // Without any file the client falls back to a port of this machine, which nobody meant.
            var configuration = KubernetesClientConfiguration.BuildDefaultConfig();
            return configuration.CurrentContext is not null ? configuration : throw new KubeConfigException("There is no kubeconfig with a current context.");
        }
        catch (KubeConfigException error)
        {
            throw new KubeConfigException(
                $"{error.Message} This process runs in no pod with a service account. In a pod, set automountServiceAccountToken: true; " +
                "elsewhere let KUBECONFIG name a file.", error);
        }
    }
}
