using Microsoft.AspNetCore.Http;

namespace Ha.EntityFrameworkCore;

/// <summary>Settings of <c>UseHaIdempotency</c>. Read once, when the pipeline is made. Not thread-safe.</summary>
public sealed class HaIdempotencyOptions
{
    /// <value>
    /// Tell a write without a key 400, instead of running it as any other. Then a handler knows that it runs in a transaction.
    /// Default false.
    /// </value>
    public bool Required { get; set; }

    /// <value>How long an answer is kept and given again, by the wall clock; more than 0. Default 24 h.</value>
    /// <exception cref="ArgumentOutOfRangeException">It is less.</exception>
    public TimeSpan Retention
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(value, TimeSpan.Zero);
            field = value;
        }
    }
    = TimeSpan.FromHours(24);

    /// <value>
    /// How long a request waits for the first one with its key, on this node, before it is told 409; 0 or more. Default 1 s.
    /// </value>
    /// <exception cref="ArgumentOutOfRangeException">It is less.</exception>
    public TimeSpan Patience
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.Zero);
            field = value;
        }
    }
    = TimeSpan.FromSeconds(1);

    /// <value>The longest body of a request with a key, in bytes; a longer one is told 413. Default 1 MiB.</value>
    /// <exception cref="ArgumentOutOfRangeException">It is less.</exception>
    public int MaxRequestBytes
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            field = value;
        }
    }
    = 1 << 20;

    /// <value>The longest answer that can be kept, in bytes of body and headers; a longer one fails and nothing is committed. Default 1 MiB.</value>
    /// <exception cref="ArgumentOutOfRangeException">It is less.</exception>
    public int MaxAnswerBytes
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            field = value;
        }
    }
    = 1 << 20;

    /// <value>
    /// Who asks: the same text for the same user at each request, since keys count per user. Null from it: nobody in particular.
    /// Default: issuer and value of the claim <c>NameIdentifier</c>, <c>sub</c>, <c>Name</c>, <c>client_id</c> or <c>azp</c>, the
    /// first that an authenticated user has; one who has none of them is an error.
    /// </value>
    public Func<HttpContext, string?> User
    {
        get;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            field = value;
        }
    }
    = Idempotency.Asker.Of;
}
