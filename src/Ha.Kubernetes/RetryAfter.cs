using System.Globalization;
using System.Net;
using k8s.Autorest;

namespace Ha.Kubernetes;

/// <summary>
/// A server that is overloaded says for how long it wants to be left alone (RFC 9110, 10.2.3; priority and fairness of
/// Kubernetes). Until then no call leaves this process. Thread-safe.
/// </summary>
internal sealed class RetryAfter(TimeProvider time)
{
    /// <summary>What a server may ask for: more than this is a mistake, and would be an outage.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private long _from;
    private TimeSpan _wait;

    public TimeSpan Remaining
    {
        get
        {
            lock (_lock)
            {
                var left = _wait - time.GetElapsedTime(_from);
                return left > TimeSpan.Zero ? left : TimeSpan.Zero;
            }
        }
    }

    /// <exception cref="HttpRequestException">The time that the server asked for is not over.</exception>
    public void ThrowIfNotOver()
    {
        if (Remaining is var left && left > TimeSpan.Zero)
        {
            throw new HttpRequestException(
                HttpRequestError.Unknown,
                string.Create(CultureInfo.InvariantCulture, $"The API server asked not to be called; {left.TotalSeconds:0.#} s of it are left."),
                inner: null, HttpStatusCode.TooManyRequests);
        }
    }

    /// <summary>How long this answer asks to wait; zero: it does not say.</summary>
    public TimeSpan Note(HttpResponseMessageWrapper answer)
    {
        var wait = (int)answer.StatusCode is 429 or >= 500 ? Read(answer) : TimeSpan.Zero;
        if (wait > TimeSpan.Zero)
        {
            lock (_lock)
            {
                (_from, _wait) = (time.GetTimestamp(), wait);
            }
        }

        return wait;
    }

    private TimeSpan Read(HttpResponseMessageWrapper answer)
    {
        var text = answer.Headers.FirstOrDefault(header => header.Key.Equals("Retry-After", StringComparison.OrdinalIgnoreCase)).Value?.FirstOrDefault();
        var wait = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? TimeSpan.FromSeconds(seconds)
            : DateTimeOffset.TryParseExact(text, "r", CultureInfo.InvariantCulture, DateTimeStyles.None, out var at) ? at - time.GetUtcNow()
            : TimeSpan.Zero;
        return wait < Longest ? wait : Longest;
    }
}
