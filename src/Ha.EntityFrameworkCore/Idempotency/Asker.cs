using System.Security.Claims;
using Microsoft.AspNetCore.Http;

namespace Ha.EntityFrameworkCore.Idempotency;

/// <summary>Whose request it is, in words that are the same when it comes again.</summary>
internal static class Asker
{
    private static readonly string[] _claims = [ClaimTypes.NameIdentifier, "sub", ClaimTypes.Name, "name", "client_id", "azp"];

    /// <exception cref="InvalidOperationException">The user is authenticated and has no name.</exception>
    public static string? Of(HttpContext http)
    {
        if (!http.User.Identities.Any(identity => identity.IsAuthenticated))
        {
            return null;
        }

        // Other claims change from one token of a user to the next.
        return _claims.Select(http.User.FindFirst).FirstOrDefault(claim => claim is { Value.Length: > 0 }) is { } name
            ? $"{name.Issuer}\n{name.Type}\n{name.Value}"
            : throw new InvalidOperationException(
                "The user of a request with an Idempotency-Key has no claim that names him: set HaIdempotencyOptions.User.");
    }
}
