using System.Globalization;
using System.Text;

namespace Ha.Tests.Pipelines;

/// <summary>Prints how a run goes: progress, the first violations of each kind in full, and a count of each kind at the end.</summary>
/// <param name="console">Where to.</param>
/// <param name="total">How many cases are to come.</param>
/// <param name="show">How many violations of a kind are told in full.</param>
internal sealed class PipelineReport(TextWriter console, int total, int show)
{
    private static readonly TimeSpan _pace = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly TimeProvider _clock = TimeProvider.System;
    private readonly long _started = TimeProvider.System.GetTimestamp();
    private readonly SortedDictionary<string, int> _kinds = new(StringComparer.Ordinal);
    private long _shown = TimeProvider.System.GetTimestamp();
    private int _passed;
    private int _failed;
    private long _requests;

    public void Add(CaseResult result)
    {
        lock (_lock)
        {
            _requests += result.Requests;
            if (result.Violations.Count == 0)
            {
                _passed++;
            }
            else
            {
                _failed++;
                AddFailedNeedsLock(result);
            }

            if (_clock.GetElapsedTime(_shown) > _pace)
            {
                _shown = _clock.GetTimestamp();
                console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{_passed + _failed:N0} of {total:N0}, {(_passed + _failed) / _clock.GetElapsedTime(_started).TotalSeconds:N0}/s, {_failed:N0} failed"));
            }
        }
    }

    /// <returns>The exit code.</returns>
    public int Close()
    {
        foreach (var (kind, count) in _kinds)
        {
            console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{count,6:N0} {kind}"));
        }

        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{_requests:N0} requests in {_clock.GetElapsedTime(_started).TotalSeconds:N1} s"));
        console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{_passed} passed, {_failed} failed"));
        return _failed == 0 ? 0 : 1;
    }

    /// <summary>A case in full, with the way to run it again.</summary>
    public static string Tell(CaseResult result)
    {
        var text = new StringBuilder(result.Account);
        foreach (var violation in result.Violations)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  VIOLATION: {violation.Rule}: {violation.Detail}");
        }

        if (result.Violations.Count > 0)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  again: pipelines --seed {result.Case.Seed}");
            if (result.Before.Count > 0)
            {
                var last = string.Join(' ', result.Before.TakeLast(5));
                text.AppendLine(CultureInfo.InvariantCulture, $"  or, if that passes, after what the nodes had served before: pipelines --seed {last} {result.Case.Seed}");
            }
        }

        return text.ToString();
    }

    private void AddFailedNeedsLock(CaseResult result)
    {
        var tell = false;
        foreach (var kind in result.Violations.Select(violation => violation.Rule).Distinct(StringComparer.Ordinal))
        {
            var count = _kinds.GetValueOrDefault(kind) + 1;
            _kinds[kind] = count;
            tell |= count <= show;
        }

        if (tell)
        {
            console.WriteLine(Tell(result));
        }
    }
}
