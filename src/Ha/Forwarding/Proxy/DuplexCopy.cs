using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Forwarding.Proxy;

/// <summary>An upgraded connection: bytes both ways until a side has closed, or the leader was given up.</summary>
internal static class DuplexCopy
{
    private const int BufferSize = 16 * 1024;

    public static async Task RunAsync(HttpResponseMessage answer, HttpContext context, CancellationToken givenUp)
    {
        // 101 is only valid with the header that was dropped as hop-by-hop.
        if (answer.Headers.NonValidated.TryGetValues("Upgrade", out var protocol))
        {
            context.Response.Headers.Upgrade = ForwardHeaders.ToValues(protocol);
        }

        await using var leader = await answer.Content.ReadAsStreamAsync(context.RequestAborted);
        await using var client = await context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, givenUp);
        var up = CopyAsync(client, leader, stop);
        var down = CopyAsync(leader, client, stop);

        // Neither stream can be closed half, and every upgraded protocol says good-bye inside: the first end is the end.
        await Task.WhenAny(up, down);
        await stop.CancelAsync();
        await Task.WhenAll(up, down).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static async Task CopyAsync(Stream from, Stream to, CancellationTokenSource stop)
    {
        try
        {
            await from.CopyToAsync(to, BufferSize, stop.Token);
        }
        catch (Exception failure) when (failure is IOException or OperationCanceledException)
        {
            await stop.CancelAsync();
        }
    }
}
