using System.Globalization;
using System.Net;
using System.Text.Json;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Ha.Kubernetes;

/// <summary>An answer of the API server that is none, in words and with what to do about it.</summary>
internal static class Refusal
{
    private const int MaxQuoted = 300;

    public static string Describe(HttpResponseMessageWrapper answer, ApiServer server, TimeSpan wait)
    {
        var said = $"The API server {server.Address} answered {(int)answer.StatusCode}{Quote(answer.Content)}";
        return answer.StatusCode switch
        {
            HttpStatusCode.Forbidden =>
                $"{said} Bind the service account to this Role in namespace {server.Namespace}: {Rules(server.Name)}",
            HttpStatusCode.Unauthorized =>
                $"{said} The credentials were read anew and are refused too: look at the service account's token, or at kubeconfig.",
            HttpStatusCode.NotFound =>
                $"{said} Does the namespace {server.Namespace} exist? kubectl create namespace {server.Namespace}",
            _ when wait > TimeSpan.Zero => string.Create(
                CultureInfo.InvariantCulture, $"{said} It asks not to be called for {wait.TotalSeconds:0.#} s."),
            _ => said,
        };
    }

    /// <summary>The least that is needed, as YAML in one line. Creating cannot be limited to a name: an object that is created has none yet.</summary>
    public static string Rules(string name) =>
        "rules: [" +
        $"{{apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [{name}], verbs: [get, update, watch]}}, " +
        "{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create]}]";

    private static string Quote(string? body)
    {
        var message = MessageOf(body) ?? body?.Trim();
        return message is not { Length: > 0 } ? "."
            : $": {(message.Length > MaxQuoted ? string.Concat(message.AsSpan(0, MaxQuoted), "…") : message)}";
    }

    private static string? MessageOf(string? body)
    {
        try
        {
            return body is null ? null : KubernetesJson.Deserialize<V1Status>(body)?.Message;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
