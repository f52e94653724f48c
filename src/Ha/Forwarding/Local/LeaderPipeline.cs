using Ha.Http;
using Ha.Leadership;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Forwarding.Local;

/// <summary>
/// Runs the rest of the pipeline on this node. The result is null, or what the handler refused with: then nothing of
/// its answer has left, and another answer is due. After the first byte the connection is aborted instead.
/// </summary>
/// <param name="next">The rest of the pipeline.</param>
/// <param name="node">Who leads, and the gate, entered by who calls.</param>
/// <param name="grace">How long a gRPC answer may go on after the lease.</param>
/// <param name="reports">Told of every outcome that stays unknown.</param>
internal sealed class LeaderPipeline(RequestDelegate next, HaNode node, AnswerGrace grace, ForwardingReports reports)
{
    private static readonly Task<Exception?> _noRefusal = Task.FromResult<Exception?>(null);

    private readonly TimeSpan _commitGuard = WritePermit.CommitGuard(node.Settings.LeaseTimeout);
    private WritePermit? _permit;

    /// <summary>A request that may run on any node. Not async itself, so that a quick answer costs nothing.</summary>
    public Task<Exception?> PassAsync(HttpContext context)
    {
        var running = next.Start(context);
        if (!running.IsCompletedSuccessfully || CaughtRefusal.IsKept(context))
        {
            return AwaitAsync(context, running);
        }

        // A read may be decided again: it needs no leader then either.
        if (context.Response.StatusCode >= StatusCodes.Status400BadRequest || WriteMethods.Contains(context.Request.Method))
        {
            DecidedMark.LeaveReturned(context);
        }

        return _noRefusal;
    }

    /// <summary>
    /// A read that must see what this node has as the leader. What it must see is there: no handover waits for its end, and it may end
    /// after one.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="now">This node leads in it.</param>
    public Task<Exception?> ReadAsync(HttpContext context, LeadershipSnapshot now)
    {
        var permit = PermitOf(now);
        context.Features.Set<IHaFeature>(permit);
        var scope = new AdmittedScope(permit, outer: null);
        return AwaitAsync(context, StartUnder(scope, context), scope);
    }

    /// <summary>A request that was admitted with <paramref name="admitted"/>; the gate is entered.</summary>
    /// <param name="context">The request.</param>
    /// <param name="admitted">The leadership it runs under.</param>
    /// <param name="longLived">True: no handover waits for its end; it ends with the leadership.</param>
    public Task<Exception?> RunAsync(HttpContext context, LeadershipSnapshot admitted, bool longLived)
    {
        var permit = PermitOf(admitted);
        var features = context.Features;
        features.Set<IHaFeature>(permit);
        if (longLived)
        {
            node.Gate.Exit();
            var endless = new AdmittedScope(permit, outer: null);
            return AwaitAsync(context, RunUntilLostAsync(context, permit, endless), endless);
        }

        var inner = features.GetRequiredFeature<IHttpResponseBodyFeature>();
        var guard = AnswerGuard.Begin(context, inner, permit, node.Gate, grace);
        features.Set<IHttpResponseBodyFeature>(guard);
        var scope = new AdmittedScope(permit, outer: null);
        var running = StartUnder(scope, context);
        if (!running.IsCompletedSuccessfully || CaughtRefusal.AnyKept || guard.Refuses() is not null || guard.Tripped)
        {
            return AwaitGuardedAsync(context, running, inner, guard, permit, scope);
        }

        // As below, for a handler that never waited: no state machine, no allocation.
        guard.End();
        features.Set(inner);
        DecidedMark.LeaveReturned(context);
        return _noRefusal;
    }

    private async Task RunUntilLostAsync(HttpContext context, WritePermit permit, AdmittedScope scope)
    {
        if (!permit.StillLeads())
        {
            // Lost since it was admitted. Nothing is broken off and nothing was executed: another node can have it.
            throw new NotLeaderException();
        }

        await using var end = LeaderConnection.EndWith(context, permit.LeaseLost);
        if (permit.LeaseLost.IsCancellationRequested)
        {
            throw new AnswerBrokenOffException();
        }

        try
        {
            await StartUnder(scope, context);
        }
        catch (OperationCanceledException) when (permit.LeaseLost.IsCancellationRequested)
        {
            throw new AnswerBrokenOffException();
        }
    }

    /// <summary>What the handler starts keeps the scope; this thread gives it back.</summary>
    private Task StartUnder(AdmittedScope scope, HttpContext context)
    {
        var outer = AmbientLeadership.Scope;
        AmbientLeadership.Scope = scope;
        var running = next.Start(context);
        AmbientLeadership.Scope = outer;
        return running;
    }

    private WritePermit PermitOf(LeadershipSnapshot admitted)
    {
        var permit = Volatile.Read(ref _permit);
        if (permit?.IsUnbroken(admitted) != true)
        {
            permit = new WritePermit(node.Provider, admitted, _commitGuard);
            Volatile.Write(ref _permit, permit);
        }

        return permit;
    }

    private async Task<Exception?> AwaitGuardedAsync(
        HttpContext context, Task running, IHttpResponseBodyFeature inner, AnswerGuard guard, WritePermit permit, AdmittedScope scope)
    {
        Exception? refusal;
        bool tripped, dirty;
        try
        {
            await running;

            // The last chance for an answer without a body. Inside the gate, or the handover that this write held
            // up would be taken for a lost lease.
            refusal = CaughtRefusal.Take(context) ?? guard.Refuses();
        }
        catch (OperationCanceledException) when (guard.OutlivedLease)
        {
            context.Abort();
            throw new AnswerBrokenOffException();
        }
        catch (Exception thrown) when (Refusal.In(thrown, context) is { } found)
        {
            refusal = found;
        }
        catch (Exception) when (guard.Tripped)
        {
            // Whatever it was, it came from an answer that could not be given.
            refusal = new OutcomeUnknownException();
        }
        finally
        {
            (tripped, dirty) = (guard.Tripped, guard.IsDirty);
            guard.End();
            context.Features.Set(inner);
            DecidedMark.Leave(context);
        }

        if (refusal is NotLeaderException && permit.StillLeads())
        {
            node.Control?.CheckFence(permit.Epoch);
        }

        refusal = Whole(refusal, scope);
        if (tripped)
        {
            // Whatever the handler threw afterwards, its answer came too late.
            reports.Withheld();
        }
        else if (refusal is OutcomeUnknownException unknown)
        {
            reports.OutcomeUnknown(unknown);
        }

        return Keep(context, refusal, dirty);
    }

    private async Task<Exception?> AwaitAsync(HttpContext context, Task running, AdmittedScope? scope = null)
    {
        Exception? refusal;
        try
        {
            await running;
            refusal = CaughtRefusal.Take(context);
        }
        catch (Exception thrown) when (Refusal.In(thrown, context) is { } found)
        {
            refusal = found;
        }
        finally
        {
            DecidedMark.Leave(context);
        }

        refusal = Whole(refusal, scope);
        if (refusal is OutcomeUnknownException unknown)
        {
            reports.OutcomeUnknown(unknown);
        }

        return Keep(context, refusal, isDirty: false);
    }

    /// <summary>
    /// What a refusal says about the whole request. The handler, or the fence, only speaks for the transaction that was refused: after
    /// another one was committed, whoever repeats the request executes that one twice.
    /// </summary>
    private static Exception? Whole(Exception? refusal, AdmittedScope? scope) => refusal is NotLeaderException && scope?.HasCommitted == true
        ? new OutcomeUnknownException("A part of the write was committed before the rest was refused.", refusal)
        : refusal;

    private static Exception? Keep(HttpContext context, Exception? refusal, bool isDirty)
    {
        if (refusal is not null && (isDirty || context.Response.HasStarted))
        {
            // Half an answer that claims success is out, or bound to go out: only a broken connection takes it back.
            context.Abort();
            throw new AnswerBrokenOffException();
        }

        return refusal;
    }
}
