using System.Globalization;
using System.Reflection;
using System.Security.Authentication;
using Ha.Tests.Support;
using k8s;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Ha.Tests.Stores.Kubernetes;

/// <summary>Where a process finds the API server: in a pod by its service account, elsewhere by kubeconfig. One test at a time: both are ambient.</summary>
public sealed class KubernetesCredentialsTests : IDisposable
{
    private static readonly FieldInfo _serviceAccount =
        typeof(KubernetesClientConfiguration).GetField("ServiceAccountPath", BindingFlags.Static | BindingFlags.NonPublic)!;

    private readonly TestAuthority _authority = new();
    private readonly object _before = _serviceAccount.GetValue(null)!;

    [Fact]
    public async Task In_a_pod_token_authority_and_namespace_are_those_of_the_service_account()
    {
        using var certificate = _authority.Issue("127.0.0.1").Load();
        await using var server = await FakeApiServer.StartAsync(certificate);
        InPod(server);
        await using var store = Store();
        Assert.True((await store.TryWriteAsync(StoreBed.Record("a"), null, StoreBed.Self, CancellationToken.None)).Written);
        Assert.NotNull(server.Objects.Get("shop/notes"));
    }

    [Fact]
    public async Task A_certificate_of_the_clusters_authority_for_another_name_is_not_the_API_servers()
    {
        using var certificate = _authority.Issue("kubelet.example").Load();
        await using var server = await FakeApiServer.StartAsync(certificate);
        InPod(server);
        await using var store = Store();
        var error = await Assert.ThrowsAsync<HttpRequestException>(() => store.ReadAsync(StoreBed.Self, CancellationToken.None));
        Assert.IsType<AuthenticationException>(error.InnerException);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task An_authority_that_was_replaced_is_read_anew()
    {
        using var other = new TestAuthority();
        using var certificate = other.Issue("127.0.0.1").Load();
        await using var server = await FakeApiServer.StartAsync(certificate);
        InPod(server);
        await using var store = Store();
        await Assert.ThrowsAsync<HttpRequestException>(() => store.ReadAsync(StoreBed.Self, CancellationToken.None));
        File.Copy(other.File, Path.Combine(_authority.Folder, "ca.crt"), overwrite: true);
        Assert.Null((await store.ReadAsync(StoreBed.Self, CancellationToken.None)).Record);
    }

    [Fact]
    public async Task Elsewhere_it_is_kubeconfigs_current_context()
    {
        await using var server = await FakeApiServer.StartAsync();
        Set("KUBECONFIG", _authority.Write("config", $$"""
            apiVersion: v1
            kind: Config
            current-context: here
            contexts: [{name: here, context: {cluster: here, user: me, namespace: shop} }]
            clusters: [{name: here, cluster: {server: "{{server.Address}}"} }]
            users: [{name: me, user: {token: token-1} }]
            """));
        await using var store = Store();
        Assert.True((await store.TryWriteAsync(StoreBed.Record("a"), null, StoreBed.Self, CancellationToken.None)).Written);
        Assert.NotNull(server.Objects.Get("shop/notes"));
    }

    [Fact]
    public void With_neither_the_start_is_refused_with_what_to_do()
    {
        Set("KUBECONFIG", _authority.Write("config", "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n"));
        var error = Assert.Throws<OptionsValidationException>(Store);
        Assert.StartsWith("BASE_LEASE_STORE (kubernetes:notes) has no credentials. ", error.Message, StringComparison.Ordinal);
        Assert.Contains("KUBECONFIG", error.Message, StringComparison.Ordinal);
        Assert.Contains("automountServiceAccountToken", error.Message, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _serviceAccount.SetValue(null, _before);
        Set("KUBERNETES_SERVICE_HOST", null);
        Set("KUBERNETES_SERVICE_PORT", null);
        Set("KUBECONFIG", null);
        _authority.Dispose();
    }

    private void InPod(FakeApiServer server)
    {
        File.Copy(_authority.File, Path.Combine(_authority.Folder, "ca.crt"));
        _authority.Write("token", "token-1");
        _authority.Write("namespace", "shop");
        _serviceAccount.SetValue(null, _authority.Folder);
        Set("KUBERNETES_SERVICE_HOST", server.Address.Host);
        Set("KUBERNETES_SERVICE_PORT", server.Address.Port.ToString(CultureInfo.InvariantCulture));
    }

    private static ILeaseStore Store() => new HaOptions().UseKubernetes().LeaseStores["kubernetes"](
        new LeaseStoreContext("notes", "default", TimeSpan.FromSeconds(30), Services: null));

    private static void Set(string name, string? value) => Environment.SetEnvironmentVariable(name, value);
}
