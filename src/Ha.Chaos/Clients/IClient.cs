namespace Ha.Chaos.Clients;

/// <summary>A program that calls the API.</summary>
internal interface IClient
{
    string Name { get; }

    /// <summary>Sends one request and follows redirects. Never throws but for <paramref name="cancellationToken"/>.</summary>
    /// <param name="node">The base URL of the node to ask first; one that routes by itself does not look at it.</param>
    /// <param name="method">GET, POST or PUT.</param>
    /// <param name="path">The path.</param>
    /// <param name="json">The body, or null.</param>
    /// <param name="key">An idempotency key, or null.</param>
    /// <param name="cancellationToken">Ends the call; its outcome is then unknown.</param>
    Task<Answer> SendAsync(string node, HttpMethod method, string path, string? json, string? key, CancellationToken cancellationToken);
}
