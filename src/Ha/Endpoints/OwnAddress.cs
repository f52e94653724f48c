using System.Security.Cryptography;
using Ha.Http;
using Microsoft.AspNetCore.Http;

namespace Ha.Endpoints;

/// <summary>Recognises a request that this very process has sent; whoever else is reached at its URL cannot. Thread-safe.</summary>
internal sealed class OwnAddress
{
    private int _arrivals;

    /// <summary>The header's value: random, so that nobody else has it.</summary>
    public string Token { get; } = RandomNumberGenerator.GetHexString(32);

    /// <summary>How many have come back to this process.</summary>
    public int Arrivals => Volatile.Read(ref _arrivals);

    public bool Recognises(HttpRequest request)
    {
        var own = string.Equals(request.Headers[HaHeaders.Probe], Token, StringComparison.Ordinal);
        if (own)
        {
            Interlocked.Increment(ref _arrivals);
        }

        return own;
    }
}
