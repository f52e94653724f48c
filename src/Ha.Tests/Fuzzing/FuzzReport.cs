using System.Globalization;

namespace Ha.Tests.Fuzzing;

/// <summary>What came of one run against one target.</summary>
internal sealed class FuzzReport(string name, int seed)
{
    public const string Accepted = "accepted";

    /// <summary>Faults that are shown; all are counted.</summary>
    private const int MaxShown = 20;

    private readonly SortedDictionary<string, int> _outcomes = new(StringComparer.Ordinal);
    private readonly List<string> _faults = [];

    public int Crashes { get; private set; }

    /// <summary>Inputs for which something did not hold: accepted though nobody signed or meant it, or the reverse.</summary>
    public int WrongAnswers { get; private set; }

    public bool Clean => Crashes + WrongAnswers == 0;

    /// <summary>The faults with what is needed to see them again.</summary>
    public IReadOnlyList<string> Faults => _faults;

    public int Of(string outcome) => _outcomes.GetValueOrDefault(outcome);

    public void Count(string outcome) => _outcomes[outcome] = Of(outcome) + 1;

    public void Wrong(int input, string what)
    {
        WrongAnswers++;
        Remember(input, what);
    }

    public void Crashed(int input, Exception crash)
    {
        Crashes++;
        Remember(input, crash.ToString());
    }

    public void Print(TextWriter output)
    {
        var tried = _outcomes.Values.Sum() + Crashes + WrongAnswers;
        output.WriteLine(Text($"{name}, seed {seed}: {tried:N0} inputs, {Of(Accepted):N0} accepted, {Crashes} crashes, {WrongAnswers} wrong answers; refused:"));
        foreach (var (outcome, count) in _outcomes.Where(o => o.Key != Accepted).OrderByDescending(o => o.Value))
        {
            output.WriteLine(Text($"  {count,9:N0} {outcome}"));
        }

        _faults.ForEach(output.WriteLine);
    }

    private void Remember(int input, string what)
    {
        if (_faults.Count < MaxShown)
        {
            _faults.Add(Text($"{name}, input {input} of seed {seed}: {what}"));
        }
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
