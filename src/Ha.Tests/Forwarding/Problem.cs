using System.Text.Json;

namespace Ha.Tests.Forwarding;

/// <summary>Reads the members of an error body.</summary>
internal static class Problem
{
    public static async Task<JsonElement> JsonAsync(this HttpResponseMessage answer) =>
        JsonSerializer.Deserialize<JsonElement>(await answer.Content.ReadAsStringAsync());

    public static async Task<string?> ErrorAsync(this HttpResponseMessage answer) =>
        (await answer.JsonAsync()).GetProperty("error").GetString();

    public static string? Header(this HttpResponseMessage answer, string name) =>
        answer.Headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null;
}
