using Grpc.Core;
using Ha.Client.Routing;

namespace Ha.Grpc.Client.Repeating;

/// <summary>Decides for one call whether it is sent again after an error, and what its caller gets to see in the end.</summary>
internal sealed class CallRepeats
{
    private static readonly TimeSpan _firstPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan _longestPause = TimeSpan.FromSeconds(1);

    // No server has seen the attempt, and the next leader is to be found soon.
    private static readonly TimeSpan _longestUnsent = TimeSpan.FromMilliseconds(250);

    private readonly HaLeaderOptions _options;
    private readonly bool _isIdempotent;
    private readonly DateTimeOffset _until;
    private int _step;
    private bool _mayHaveBeenExecuted;

    public CallRepeats(HaLeaderOptions options, IMethod method, CallOptions call)
    {
        _options = options;
        _isIdempotent = CallKey.In(call.Headers) is not null || options.IdempotentMethods.Contains(method.FullName);
        Cancelled = call.CancellationToken;
        _until = call.Deadline is { } deadline && deadline != DateTime.MaxValue
            ? new DateTimeOffset(deadline.ToUniversalTime(), TimeSpan.Zero)
            : options.Clock.GetUtcNow() + options.RepeatWithin;
    }

    /// <summary>The caller's own.</summary>
    public CancellationToken Cancelled { get; }

    /// <param name="error">What an attempt ended with.</param>
    /// <returns>How long to wait before the next attempt; null: this one was the last.</returns>
    public TimeSpan? PauseAfter(RpcException error)
    {
        if (Cancelled.IsCancellationRequested)
        {
            return null;
        }

        if (Failure.IsSafeToRepeat(error) != true)
        {
            if (!_isIdempotent || !Failure.IsNoAnswer(error.Status))
            {
                return null;
            }

            _mayHaveBeenExecuted = true;
        }

        var longest = Failure.NothingWasExecuted(error.Status.DebugException) ? _longestUnsent : _longestPause;
        var pause = Backoff.Delay(_firstPause, longest, _step++, _options.Jitter());
        return _options.Clock.GetUtcNow() + pause < _until ? pause : null;
    }

    /// <summary>Ends early when the caller cancels; the next attempt then ends as gRPC has it.</summary>
    public async Task WaitAsync(TimeSpan pause, CancellationToken disposed)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(Cancelled, disposed);
        await Task.Delay(pause, _options.Clock, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>
    /// An attempt's error as the caller gets it, with what is known of the call as a whole: an attempt before it may have been executed.
    /// </summary>
    public RpcException Told(RpcException error) =>
        _mayHaveBeenExecuted ? Known.On(error, isSafeToRepeat: false)
        : Failure.IsSafeToRepeat(error) is { } isSafe ? Known.On(error, isSafe)
        : error;

    /// <summary>As gRPC ends a call that its caller gives up: here between two attempts.</summary>
    /// <param name="error">The last attempt's.</param>
    public RpcException GivenUp(RpcException error) =>
        Told(new RpcException(new Status(StatusCode.Cancelled, "Call canceled by the client.", error), error.Trailers));
}
