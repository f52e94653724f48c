namespace Ha.Cli.Cluster;

/// <summary>A request as <c>--load</c> names it: <c>POST /notes {"text":"hello"}</c>.</summary>
internal sealed record LoadRequest(HttpMethod Method, string Target, string Json)
{
    /// <returns>Null when it is not one.</returns>
    public static LoadRequest? Parse(string text) =>
        text.Split(' ', 3, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) is [var method, ['/', ..] target, .. var json]
        && method.All(char.IsAsciiLetterUpper)
            ? new LoadRequest(new HttpMethod(method), target, string.Concat(json))
            : null;

    public HttpRequestMessage To(Uri url, string idempotencyKey)
    {
        var request = new HttpRequestMessage(Method, url);
        request.Headers.Add("Idempotency-Key", $"\"{idempotencyKey}\"");
        if (Method != HttpMethod.Get)
        {
            // Always a content object: without one the handler may send the request twice.
            request.Content = new StringContent(Json, mediaType: new("application/json"));
        }

        return request;
    }
}
