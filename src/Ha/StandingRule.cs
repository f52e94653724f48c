namespace Ha;

/// <summary><see cref="HaOptions.StandsWhile"/>.</summary>
/// <param name="Tag">Of the health checks that count.</param>
/// <param name="Interval">From the beginning of one run to that of the next.</param>
/// <param name="Timeout">A run that takes longer has failed.</param>
/// <param name="Failures">How many in a row make a node that stands stand no more.</param>
/// <param name="Successes">How many in a row make it stand again.</param>
internal sealed record StandingRule(string Tag, TimeSpan Interval, TimeSpan Timeout, int Failures, int Successes);
