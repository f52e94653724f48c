using System.Runtime.CompilerServices;

namespace Ha.Tests.Support;

/// <summary>Waits for a condition by asking again and again, up to a deadline that only a broken build reaches.</summary>
internal static class Eventually
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(5);

    public static Task True(Func<bool> condition, TimeSpan? within = null, [CallerArgumentExpression(nameof(condition))] string what = "") =>
        True(() => Task.FromResult(condition()), within, what);

    public static async Task True(Func<Task<bool>> condition, TimeSpan? within = null, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        using var deadline = new CancellationTokenSource(within ?? _patience);
        using var timer = new PeriodicTimer(_pause);
        while (!await condition())
        {
            try
            {
                await timer.WaitForNextTickAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"Not within {within ?? _patience}: {what}");
            }
        }
    }

    /// <summary>Asks until the answer is not null.</summary>
    public static async Task<T> NotNull<T>(Func<Task<T?>> look, TimeSpan? within = null, [CallerArgumentExpression(nameof(look))] string what = "")
        where T : class
    {
        T? found = null;
        await True(async () => (found = await look()) is not null, within, what);
        return found!;
    }
}
