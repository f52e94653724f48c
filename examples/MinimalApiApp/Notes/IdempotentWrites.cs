using System.Collections.Concurrent;
using System.Data.Common;
using Ha;

namespace MinimalApiApp.Notes;

/// <summary>
/// Runs a write once per <c>Idempotency-Key</c>. Key, fingerprint and answer are stored by the transaction that does the
/// write, so they exist exactly when it does, on every node and after every crash. Thread-safe.
/// </summary>
/// <remarks>
/// A second request with a key whose first is still running stands in line behind it and then reads the first's answer.
/// On this node it waits <see cref="Patience"/> at most and is then told 409: the first hangs, and so would this one.
/// </remarks>
internal sealed class IdempotentWrites(NotesDatabase database, TimeProvider clock)
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan Retention = TimeSpan.FromHours(24);

    private readonly ConcurrentDictionary<string, Task> _running = new(StringComparer.Ordinal);

    /// <param name="http">The request; its headers may carry a key.</param>
    /// <param name="payload">What the fingerprint covers beside method and path.</param>
    /// <param name="write">Does the write and says what to answer.</param>
    public async Task<Answer> RunAsync(HttpContext http, string payload, Func<FencedTransaction, Task<Answer>> write)
    {
        if (!IdempotencyKey.TryRead(http.Request, out var key, out var problem))
        {
            return Answer.Problem(StatusCodes.Status400BadRequest, "Bad idempotency key", problem!);
        }

        return await RefusedOr(() => key is null
            ? database.WriteAsync(write, http.RequestAborted)
            : RunOnceAsync(http, key, payload, write));
    }

    /// <summary>A write without a key.</summary>
    public Task<Answer> RunAsync(Func<FencedTransaction, Task<Answer>> write, CancellationToken cancellationToken) =>
        RefusedOr(() => database.WriteAsync(write, cancellationToken));

    private async Task<Answer> RefusedOr(Func<Task<Answer>> write)
    {
        try
        {
            return await write();
        }
        catch (NotLeaderException) when (LeaderScope.Current is null or { Epoch: 0 })
        {
            return Answer.Problem(StatusCodes.Status503ServiceUnavailable, "A cluster wrote here",
                "A cluster wrote to this database under a later epoch, so a node without one must not. Nothing was written. "
                + "When that cluster is gone for good: UPDATE fence SET epoch = 0");
        }
        catch (DbException e) when (database.Sql.IsBusy(e))
        {
            return Answer.Problem(StatusCodes.Status503ServiceUnavailable, "The database is busy",
                "Another writer held the database for too long. Nothing was written; try again.");
        }
    }

    private async Task<Answer> RunOnceAsync(
        HttpContext http, string key, string payload, Func<FencedTransaction, Task<Answer>> write)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        while (_running.GetOrAdd(key, done.Task) is var first && first != done.Task)
        {
            if (await Task.WhenAny(first, Task.Delay(Patience, clock, http.RequestAborted)) != first)
            {
                http.RequestAborted.ThrowIfCancellationRequested();
                return Answer.Problem(StatusCodes.Status409Conflict, "Still running",
                    "The first request with this Idempotency-Key has no answer yet. Nothing was done for this one; try again.");
            }
        }

        try
        {
            var fingerprint = IdempotencyKey.Fingerprint(http.Request, payload);
            var (answer, replayed) = await database.WriteAsync(t => OnceAsync(t, key, fingerprint, write), http.RequestAborted);
            if (replayed)
            {
                http.Response.Headers["Idempotent-Replayed"] = "true";
            }

            return answer;
        }
        finally
        {
            _running.TryRemove(key, out _);
            done.SetResult();
        }
    }

    private async Task<(Answer Answer, bool Replayed)> OnceAsync(
        FencedTransaction transaction, string key, string fingerprint, Func<FencedTransaction, Task<Answer>> write)
    {
        var seen = await transaction.FirstOrDefaultAsync(
            "SELECT fingerprint, status, body, location FROM answers WHERE key = @key",
            row => new StoredAnswer(row.GetString(0), new Answer(row.GetInt32(1), row.GetStringOrNull(2), row.GetStringOrNull(3))),
            ("key", key));
        if (seen is not null)
        {
            return string.Equals(seen.Fingerprint, fingerprint, StringComparison.Ordinal)
                ? (seen.Answer, true)
                : (Answer.Problem(StatusCodes.Status422UnprocessableEntity, "Idempotency-Key used before",
                    "This Idempotency-Key came with a different request before. Send a new key with a new request."), false);
        }

        var answer = await write(transaction);
        await transaction.ExecuteAsync(
            "INSERT INTO answers (key, fingerprint, status, body, location, at) VALUES (@key, @fingerprint, @status, @body, @location, @at)",
            ("key", key), ("fingerprint", fingerprint), ("status", answer.Status), ("body", answer.Body), ("location", answer.Location),
            ("at", clock.GetUtcNow().ToUnixTimeMilliseconds()));
        return (answer, false);
    }

    private sealed record StoredAnswer(string Fingerprint, Answer Answer);
}
