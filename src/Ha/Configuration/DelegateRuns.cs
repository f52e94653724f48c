using Microsoft.Extensions.Options;

namespace Ha.Configuration;

/// <summary>
/// Runs the delegates that read settings of their own together with the rules, so that what is wrong there is told with all the rest,
/// and before anything of the election begins.
/// </summary>
/// <param name="services">Null: nothing runs.</param>
/// <param name="problems">Gets what the delegates refuse.</param>
internal sealed class DelegateRuns(IServiceProvider? services, List<string> problems)
{
    [ThreadStatic]
    private static bool _running;

    private readonly List<object> _made = [];

    /// <returns>Gives what <paramref name="make"/> has made; null: there is nothing to make, or it was refused.</returns>
    /// <exception cref="InvalidOperationException">The delegate needs what is made of the settings.</exception>
    public Func<IServiceProvider, T>? Run<T>(Func<IServiceProvider, T>? make)
        where T : class
    {
        if (services is null || make is null)
        {
            return make;
        }

        if (_running)
        {
            throw new InvalidOperationException(
                $"A delegate of {nameof(HaOptions)}.{nameof(HaOptions.LeaseStores)} or {nameof(HaOptions.Consistency)} has asked for a service " +
                $"that waits for it, such as {nameof(ILeaderProvider)}; let what it makes ask for that later, when it is used.");
        }

        _running = true;
        try
        {
            var made = make(services);
            _made.Add(made);
            return _ => made;
        }
        catch (OptionsValidationException refusal)
        {
            problems.AddRange(refusal.Failures);
        }
        catch (Exception) when (problems.Count > 0)
        {
            // The start is refused without it, and may have failed by the same cause.
        }
        finally
        {
            _running = false;
        }

        return null;
    }

    /// <summary>The start is refused, so nobody else will do it.</summary>
    public void DisposeMade()
    {
        foreach (var made in _made)
        {
            if (made is IDisposable disposable)
            {
                disposable.Dispose();
            }
            else if (made is IAsyncDisposable later)
            {
                _ = later.DisposeAsync().AsTask();
            }
        }
    }
}
