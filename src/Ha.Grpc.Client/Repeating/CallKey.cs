using Grpc.Core;
using Ha.Http;

namespace Ha.Grpc.Client.Repeating;

/// <summary>The caller's name for one call, as the metadata that servers know from HTTP.</summary>
internal static class CallKey
{
    public static readonly string Name = IdempotencyKey.Header.ToLowerInvariant();

    /// <returns>Null without a usable one.</returns>
    public static string? In(Metadata? headers) =>
        headers is null ? null : IdempotencyKey.Of(headers.Where(static entry => entry.Key == Name).Select(static entry => entry.Value));
}
