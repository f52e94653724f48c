using Microsoft.Extensions.Primitives;

namespace Ha.Leadership;

internal static class ChangeTokens
{
    /// <summary>Completes when the token fires, or fails when <paramref name="cancellationToken"/> does first.</summary>
    public static async Task FiredAsync(this IChangeToken token, CancellationToken cancellationToken)
    {
        var fired = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var registration = token.RegisterChangeCallback(static state => ((TaskCompletionSource)state!).TrySetResult(), fired);
        using var cancelled = cancellationToken.UnsafeRegister(
            static (state, by) => ((TaskCompletionSource)state!).TrySetCanceled(by), fired);
        await fired.Task;
    }
}
