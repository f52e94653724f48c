using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using Ha.EntityFrameworkCore.Fencing;
using Ha.Forwarding.Local;
using Ha.Http;
using Ha.Leadership;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.EntityFrameworkCore.Idempotency;

/// <summary>
/// Runs a write once per <c>Idempotency-Key</c>: key, fingerprint and answer are stored by the transaction that does the write,
/// so they exist exactly when it does, on every node and after every crash. Thread-safe.
/// </summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A semaphore that nobody asks for its handle holds nothing.")]
internal sealed class IdempotencyMiddleware(RequestDelegate next, Type contextType, HaIdempotencyOptions options, TimeProvider clock)
{
    private const int MostRemoved = 200;
    private const int MostTries = 10;

    // RFC 8470.
    private const int TooEarly = 425;

    // PostgreSQL's lock_timeout has passed.
    private const string LockNotAvailable = "55P03";

    // PostgreSQL's idle_in_transaction_session_timeout has passed.
    private const string IdleInTransaction = "25P03";

    // The word of ASP.NET Core's own endpoint middleware, which refuses an endpoint whose authorization was left out.
    private const string Authorized = "__AuthorizationMiddlewareWithEndpointInvoked";

    // In HttpContext.Items while the handler runs.
    private static readonly object _inside = new();

    private static readonly TimeSpan _betweenClearings = TimeSpan.FromMinutes(1);

    private readonly RunningKeys _running = new(clock);

    // SQLite lets one writer in, and others wait for it on a thread each. Waiting here costs none.
    private readonly SemaphoreSlim _onlyWriter = new(1);
    private long _clearedAt = long.MinValue;

    public Task InvokeAsync(HttpContext http)
    {
        if (http.GetEndpoint()?.Metadata is not { } metadata
            || metadata.GetMetadata<HonorsIdempotencyKeyAttribute>() is null
            || !WriteMethods.Contains(http.Request.Method)
            || !(options.Required || http.Request.Headers.ContainsKey(IdempotencyKey.Header)))
        {
            return next(http);
        }

        return RunKeyedAsync(http, metadata);
    }

    /// <summary>What would be right on most days and wrong on the others fails with the first keyed request.</summary>
    private static async Task RefuseWrongOrderAsync(HttpContext http, EndpointMetadataCollection metadata)
    {
        if (!http.Items.ContainsKey(Authorized) && metadata.GetMetadata<IAllowAnonymous>() is null
            && (metadata.GetMetadata<IAuthorizeData>() is not null || await HasFallbackPolicyAsync(http)))
        {
            throw new InvalidOperationException("UseHaIdempotency() must come after UseAuthorization(): it would give answers to anybody.");
        }

        if (http.Features.Get<IHaFeature>() is null && DecidedMark.Of(http) is null && metadata.GetMetadata<INodeChoiceMetadata>() is not AllowOnAnyNodeAttribute
            && http.RequestServices.GetService<HaNode>() is { Settings.IsActive: true })
        {
            throw new InvalidOperationException("UseHaIdempotency() must come after UseHa(): it would run on whichever node is asked.");
        }

        if (http.Items.ContainsKey(_inside))
        {
            throw new InvalidOperationException(
                "This request comes through UseHaIdempotency() twice. Two transactions do not commit together: one context for each endpoint (UseWhen).");
        }
    }

    private static async Task<bool> HasFallbackPolicyAsync(HttpContext http) =>
        http.RequestServices.GetService<IAuthorizationPolicyProvider>() is { } policies && await policies.GetFallbackPolicyAsync() is not null;

    private async Task RunKeyedAsync(HttpContext http, EndpointMetadataCollection metadata)
    {
        await RefuseWrongOrderAsync(http, metadata);

        // Step 1: whose write it is, and which.
        if (HaProblem.IsGrpc(http.Request))
        {
            await Problems.NotForGrpc.WriteAsync(http);
            return;
        }

        if (KeyHeader.Parse(http.Request.Headers[IdempotencyKey.Header]) is not { } key)
        {
            await Problems.BadKey.WriteAsync(http);
            return;
        }

        if (await KeyedRequest.ReadAsync(http, key, options.User(http), options.MaxRequestBytes) is not { } request)
        {
            await Problems.TooLong(options.MaxRequestBytes).WriteAsync(http);
            return;
        }

        // Step 2: one request with this key at a time.
        using var turn = await _running.EnterAsync(request.Id, options.Patience, http.RequestAborted);
        if (turn is null)
        {
            await Problems.StillRunning.WriteAsync(http);
            return;
        }

        // Step 3: run it, or find out that it ran. Before the handler runs a strategy may repeat what failed; afterwards
        // nothing is thrown at it, since it would run the handler again.
        var db = (DbContext)http.RequestServices.GetRequiredService(contextType);
        var attempt = new Attempt(http, request, db);
        await db.Database.CreateExecutionStrategy().ExecuteAsync(() => TryAsync(attempt));
        attempt.Failure?.Throw();

        // Step 4: answer. What was committed is committed by now.
        if (attempt.Problem is { } problem)
        {
            await problem.WriteAsync(http);
        }
        else if (attempt.Stored is { } stored)
        {
            await stored.ReplayAsync(http);
        }
        else if (!CaughtRefusal.IsKept(http))
        {
            await KeptAnswer.SendBodyAsync(http.Response, attempt.Body);
        }

        // Step 5: what nobody needs any more, once the client has its answer. By then the leadership is not in scope any more.
        if (attempt.Ran)
        {
            var leadership = LeaderScope.Current;
            http.Response.OnCompleted(async () =>
            {
                using var scope = leadership is null ? null : LeaderScope.Enter(leadership);
                await ClearAsync(attempt.Answers, http);
            });
        }
    }

    private async Task TryAsync(Attempt attempt)
    {
        var alone = attempt.Database.ProviderName is Fence.Sqlite;
        if (alone)
        {
            await _onlyWriter.WaitAsync(attempt.Http.RequestAborted);
        }

        try
        {
            await using var transaction = await attempt.Database.BeginTransactionAsync(attempt.Http.RequestAborted);
            if (await TakeAsync(attempt))
            {
                await RunAsync(attempt, transaction);
            }
        }
        catch (Exception failure) when (attempt.Ran)
        {
            attempt.Failure ??= ExceptionDispatchInfo.Capture(Explained(failure));
        }
        finally
        {
            if (alone)
            {
                _onlyWriter.Release();
            }
        }
    }

    /// <returns>False: this request is answered already.</returns>
    private async Task<bool> TakeAsync(Attempt attempt)
    {
        // Not behind the fence yet: who holds its row may not stand idle for long, and the handler may have to. The handler's own
        // first write looks at it, at the latest the one that stores the answer.
        using var unfenced = HaFenceExemption.Begin();
        var (answers, request, stop) = (attempt.Answers, attempt.Request, attempt.Http.RequestAborted);
        var now = clock.GetUtcNow();
        for (var tries = 0; tries < MostTries; tries++)
        {
            try
            {
                if (await answers.TryAddAsync(request, now.ToUnixTimeMilliseconds(), stop))
                {
                    return true;
                }
            }
            catch (DbException failure) when (failure is { SqlState: LockNotAvailable } or { InnerException: TimeoutException })
            {
                // Another node has it in work, and the database waited for as long as it may.
                attempt.Problem = Problems.StillRunning;
                return false;
            }

            if (await answers.FindAsync(request.Id, stop) is not { } row)
            {
                continue;
            }

            if (row.At < (now - options.Retention).ToUnixTimeMilliseconds())
            {
                await answers.RemoveAsync(request.Id, stop);
                continue;
            }

            attempt.Stored = row.Answer;
            attempt.Problem = !string.Equals(row.Fingerprint, request.Fingerprint, StringComparison.Ordinal) ? Problems.OtherRequest
                : row.Answer is null ? Problems.StillRunning
                : null;
            return false;
        }

        // Others take it and let go of it again.
        attempt.Problem = Problems.StillRunning;
        return false;
    }

    private async Task RunAsync(Attempt attempt, IDbContextTransaction transaction)
    {
        var http = attempt.Http;
        var before = KeptAnswer.Before(http.Response);
        var inner = http.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        using var buffer = new BoundedBuffer(options.MaxAnswerBytes);
        var body = new StreamResponseBodyFeature(buffer);
        http.Features.Set<IHttpResponseBodyFeature>(body);
        attempt.Ran = true;

        // What a handler saves after it has lost this transaction would be committed by itself, and again with the repetition.
        attempt.Fence.Only = transaction.TransactionId;

        // What is compressed for this client could not be given to another one.
        var encodings = http.Request.Headers.AcceptEncoding;
        http.Request.Headers.AcceptEncoding = default;
        http.Items[_inside] = true;
        try
        {
            await next(http);
            await body.CompleteAsync();
        }
        finally
        {
            http.Items.Remove(_inside);
            http.Request.Headers.AcceptEncoding = encodings;
            attempt.Fence.Only = null;
            http.Features.Set(inner);
        }

        var answer = KeptAnswer.Of(http.Response, before, buffer.ToArray());
        if (buffer.IsTooSmall || answer.Headers.Length + answer.Body.Length > options.MaxAnswerBytes)
        {
            throw BoundedBuffer.TooLong(options.MaxAnswerBytes);
        }

        attempt.Body = answer.Body;
        if (IsFinal(answer.Status) && !CaughtRefusal.IsKept(http))
        {
            if (attempt.Database.CurrentTransaction?.TransactionId != transaction.TransactionId)
            {
                throw new InvalidOperationException(
                    "The handler ended the transaction of UseHaIdempotency, which commits it itself together with the answer, or has caught the failure that ended it.");
            }

            await attempt.Answers.CompleteAsync(attempt.Request.Id, answer, http.RequestAborted);
            await transaction.CommitAsync(CancellationToken.None);
        }
        else
        {
            await transaction.RollbackAsync(CancellationToken.None);
        }
    }

    /// <summary>False: the same request may well get another answer when it comes again, so nothing of it is kept.</summary>
    private static bool IsFinal(int status) => status < StatusCodes.Status500InternalServerError
        && status is not (StatusCodes.Status409Conflict or TooEarly or StatusCodes.Status429TooManyRequests);

    private static Exception Explained(Exception failure)
    {
        if (failure is InvalidOperationException && string.Equals(failure.Message, RelationalStrings.TransactionAlreadyStarted, StringComparison.Ordinal))
        {
            return new InvalidOperationException(
                "A handler behind UseHaIdempotency begins no transaction of its own: the key, what it saves and its answer are committed together.", failure);
        }

        for (var inner = failure; inner is not null and not (NotLeaderException or OutcomeUnknownException); inner = inner.InnerException)
        {
            if (inner is DbException { SqlState: IdleInTransaction })
            {
                return new InvalidOperationException(
                    "The handler of a request with an Idempotency-Key stood between two statements for longer than HaFenceOptions.IdleLimit (after its first write) " +
                    "or a minute (before it), so PostgreSQL has rolled back: let what takes long come before the first write, or raise the limit.",
                    failure);
            }
        }

        return failure;
    }

    private async Task ClearAsync(AnswersTable answers, HttpContext http)
    {
        var now = clock.GetTimestamp();
        var last = Interlocked.Read(ref _clearedAt);
        if ((last != long.MinValue && clock.GetElapsedTime(last, now) < _betweenClearings)
            || Interlocked.CompareExchange(ref _clearedAt, now, last) != last)
        {
            return;
        }

        try
        {
            var old = (clock.GetUtcNow() - options.Retention).ToUnixTimeMilliseconds();
            if (await answers.RemoveOldAsync(old, MostRemoved, http.RequestAborted) == MostRemoved)
            {
                // There are more: with the next write.
                Interlocked.Exchange(ref _clearedAt, long.MinValue);
            }
        }
        catch (Exception)
        {
            // The client has its answer, whatever an execution strategy or the provider throws; another write will come.
        }
    }

    /// <summary>One request on its way.</summary>
    private sealed class Attempt(HttpContext http, KeyedRequest request, DbContext db)
    {
        public HttpContext Http => http;

        public KeyedRequest Request => request;

        public DatabaseFacade Database => db.Database;

        public ContextFence Fence { get; } = db.GetService<ContextFence>();

        public AnswersTable Answers { get; } = new(db);

        /// <summary>True once the handler was called.</summary>
        public bool Ran { get; set; }

        public ExceptionDispatchInfo? Failure { get; set; }

        public HaProblem? Problem { get; set; }

        public KeptAnswer? Stored { get; set; }

        public ReadOnlyMemory<byte> Body { get; set; }
    }
}
