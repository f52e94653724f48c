using Ha.Configuration;

namespace Ha.Hosting;

/// <summary>
/// Runs the application's health checks again and again and tells when enough of their results in a row say something new. The
/// first result counts alone: a node whose application cannot work must not win the election that its start may bring.
/// </summary>
/// <param name="rule">How often, how long, how many.</param>
/// <param name="check">One run; in words what is wrong, null: nothing. May throw or never end.</param>
/// <param name="leads">True while this node leads. May throw.</param>
/// <param name="report">
/// Told what is wrong, or null, whenever that changes; false: it does not matter to anybody. When it throws it is told the next result.
/// </param>
/// <param name="failed">Told what <paramref name="leads"/> or <paramref name="report"/> has thrown.</param>
/// <param name="clock">Of intervals and limits.</param>
internal sealed class HealthWatch(
    StandingRule rule,
    Func<CancellationToken, Task<string?>> check,
    Func<bool> leads,
    Func<string?, bool> report,
    Action<Exception> failed,
    TimeProvider clock)
{
    private Task<string?> _running = Task.FromResult<string?>(null);
    private bool? _stands;
    private string? _told;
    private int _inARow;

    /// <summary>Ends when <paramref name="stopping"/> fires, or when nobody wants to know; does not throw.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            var began = clock.GetTimestamp();
            var trouble = await CheckAsync(stopping);
            if (stopping.IsCancellationRequested || !TryCount(trouble))
            {
                return;
            }

            var rest = rule.Interval - clock.GetElapsedTime(began);
            if (rest > TimeSpan.Zero)
            {
                await Task.Delay(rest, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task<string?> CheckAsync(CancellationToken stopping)
    {
        var late = $"the health checks tagged {rule.Tag} did not end in {DurationText.Format(rule.Timeout)}";
        try
        {
            using var timeout = new CancellationTokenSource(rule.Timeout, clock);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stopping);
            if (!_running.IsCompleted)
            {
                // One that hangs must not become many that do.
                await _running.WaitAsync(limit.Token);
            }

            var token = limit.Token;
            _running = Task.Run(() => check(token), CancellationToken.None);
            return await _running.WaitAsync(token);
        }
        catch (OperationCanceledException)
        {
            return late;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return $"the health checks tagged {rule.Tag} could not be run";
        }
    }

    private bool TryCount(string? trouble)
    {
        try
        {
            return Count(trouble);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A provider may be anybody's.
            failed(e);
            return true;
        }
    }

    /// <summary>Takes one result.</summary>
    /// <returns>False: nobody wants to know.</returns>
    public bool Count(string? trouble)
    {
        var well = trouble is null;
        if (_stands is null || _stands == well)
        {
            _inARow = 0;
            if (_stands == well && trouble == _told)
            {
                return true;
            }
        }
        else if (++_inARow < Needed(well))
        {
            return true;
        }

        var matters = report(trouble);
        (_stands, _told, _inARow) = (well, trouble, 0);
        return matters;
    }

    /// <summary>
    /// What all nodes depend on fails for all and comes back for all. So a leader is the last to fall and the first to stand again: when
    /// it falls the others know whether they are any better off, and when they stand it does too.
    /// </summary>
    private int Needed(bool well)
    {
        var leading = leads();
        return well ? rule.Successes + (leading ? 0 : 1) : rule.Failures + (leading ? 1 : 0);
    }
}
