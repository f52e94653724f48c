using Ha.Http;
using Microsoft.AspNetCore.Http;

namespace Ha.EntityFrameworkCore.Idempotency;

/// <summary>What a request is told whose handler did not run because of its key.</summary>
internal static class Problems
{
    public static readonly HaProblem BadKey = new(StatusCodes.Status400BadRequest, "bad idempotency key",
        $"Idempotency-Key must be one quoted string of 1 to {KeyHeader.MaxLength} printable ASCII characters, such as \"8e03978e-40d5\".");

    public static readonly HaProblem NotForGrpc = new(StatusCodes.Status400BadRequest, "bad idempotency key",
        "A gRPC call cannot be answered a second time: send it without an Idempotency-Key.");

    public static readonly HaProblem StillRunning = new(StatusCodes.Status409Conflict, "still running",
        "The first request with this Idempotency-Key has no answer yet. Nothing was done for this one; try again.")
    {
        RetryAfterSeconds = 1,
    };

    public static readonly HaProblem OtherRequest = new(StatusCodes.Status422UnprocessableEntity, "idempotency key used before",
        "This Idempotency-Key came with a different request before. Send a new key with a new request.");

    public static HaProblem TooLong(int most) => new(StatusCodes.Status413PayloadTooLarge, "body too long",
        $"A request with an Idempotency-Key may have {most} bytes here. Nothing was done.");
}
