using Grpc.Core;
using Ha.Grpc.Client.Repeating;
using Ha.Http;

namespace Ha.Grpc.Client;

/// <summary>What a caller says of one call, and what is known of one that failed.</summary>
public static class HaGrpcCallExtensions
{
    /// <summary>
    /// Says that the call is one and the same however often it arrives, and by which name the server knows it again: it is then repeated
    /// even when nobody knows whether it was executed. Say it only where the server goes by the key, or the method may run twice anyway.
    /// </summary>
    /// <param name="options">The options of one call. All attempts of it send the same key.</param>
    /// <param name="key">Sent as the metadata <c>idempotency-key</c>. Null: a key that is there stays, or a new one is made.</param>
    /// <returns>A copy with the key beside the other metadata.</returns>
    /// <exception cref="ArgumentException">The key is blank, or a list of several.</exception>
    public static CallOptions WithIdempotencyKey(this CallOptions options, string? key = null)
    {
        if (key is not null && IdempotencyKey.Of([key]) is null)
        {
            throw new ArgumentException(
                $"'{key}' is not one idempotency key: it is blank, or holds a comma outside of quotes.", nameof(key));
        }

        if (key is null && CallKey.In(options.Headers) is not null)
        {
            return options;
        }

        var headers = new Metadata();
        foreach (var entry in (options.Headers ?? []).Where(static entry => entry.Key != CallKey.Name))
        {
            headers.Add(entry);
        }

        headers.Add(CallKey.Name, key ?? Guid.NewGuid().ToString("N"));
        return options.WithHeaders(headers);
    }

    /// <summary>
    /// What is known of a call that failed. True: certainly <em>nothing was executed</em>: a server says so (<c>ha-retriable</c>), no
    /// node led, or there was no connection. False: a server says that it may have been executed.
    /// </summary>
    /// <param name="error">Caught from a call, on whatever channel.</param>
    /// <returns>Null: nothing is known. Repeat it only if it may run twice.</returns>
    public static bool? IsSafeToRepeat(this RpcException error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return Failure.IsSafeToRepeat(error);
    }
}
