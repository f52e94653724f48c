using System.Net;

namespace Ha.Client.Routing;

/// <summary>A body of which the beginning was read, and that is whole all the same to whoever reads it next.</summary>
internal sealed class BegunContent : HttpContent
{
    private readonly HttpContent _whole;
    private readonly ReadOnlyMemory<byte> _begin;
    private readonly Stream _rest;

    /// <param name="whole">The content, which lends its headers and is disposed of with this one.</param>
    /// <param name="begin">What was read.</param>
    /// <param name="rest">Its stream, behind that.</param>
    public BegunContent(HttpContent whole, ReadOnlyMemory<byte> begin, Stream rest)
    {
        (_whole, _begin, _rest) = (whole, begin, rest);
        foreach (var (name, values) in whole.Headers.NonValidated)
        {
            Headers.TryAddWithoutValidation(name, values);
        }
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(_begin, cancellationToken).ConfigureAwait(false);
        await _rest.CopyToAsync(stream, cancellationToken).ConfigureAwait(false);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = -1;
        return false;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _whole.Dispose();
        }

        base.Dispose(disposing);
    }
}
