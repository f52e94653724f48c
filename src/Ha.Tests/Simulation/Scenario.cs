using System.Globalization;

namespace Ha.Tests.Simulation;

/// <param name="Error">Null when every expectation held and no invariant broke.</param>
internal sealed record ScenarioResult(string? Error, string Trace);

/// <summary>
/// Plays a script of one instruction per line on a simulated cluster: exact delays, no chance. Grammar and words:
/// Scenarios/README.txt. All invariants are checked after every event, as in a chaos run.
/// </summary>
internal sealed class Scenario
{
    private readonly string[] _lines;
    private readonly ScenarioStage _stage = new();

    private Scenario(string text) => _lines = text.Split('\n');

    public static ScenarioResult Play(string text)
    {
        var scenario = new Scenario(text);
        string? error = scenario.PlayLines();
        return new ScenarioResult(error, scenario._stage.HasWorld ? scenario._stage.World.Trace.Text : "");
    }

    private string? PlayLines()
    {
        for (int i = 0; i < _lines.Length; i++)
        {
            string line = _lines[i].Split('#')[0].Trim();
            if (line.Length == 0)
                continue;

            string? error;
            try
            {
                error = PlayLine(line);
            }
            catch (ScenarioException e)
            {
                error = e.Message;
            }

            if (error is null && _stage.HasWorld && _stage.World.Violation is { } broken)
                error = $"{broken.Invariant}: {broken.Detail} at {SimTrace.Millis(broken.Time)}";

            if (error is not null)
                return $"line {i + 1} '{line}': {error}";
        }

        return null;
    }

    private string? PlayLine(string line)
    {
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (_stage.HasWorld)
            _stage.World.Trace.Line(_stage.World.Now, "script", line);

        switch (words)
        {
            case ["cluster", .. var rest]:
                _stage.Cluster(rest);
                return null;
            case ["allow", "two", "leaders"]:
                _stage.AllowTwoLeaders();
                return null;
            case ["node", var node, .. var rest]:
                _stage.Configure(node, rest);
                return null;
            case ["run", "until", .. var condition, "within", var limit]:
                return RunUntil(condition, Duration(limit));
            case ["run", var length]:
                _stage.World.RunUntil(_stage.World.Now + Duration(length));
                return null;
            case ["restart", var node, "every", var pace, "for", var length]:
                for (long end = _stage.World.Now + Duration(length); _stage.World.Now < end;)
                {
                    ScenarioActions.Do(_stage, ["restart", node]);
                    _stage.World.RunUntil(_stage.World.Now + Duration(pace));
                }

                return null;
            case ["expect", .. var condition]:
                return Holds(condition) ? null : $"it is not so: {_stage.Situation()}";
            case ["always", .. var condition, "for", var length]:
                return Always(condition, Duration(length));
            default:
                ScenarioActions.Do(_stage, words);
                _stage.World.CheckNow();
                return null;
        }
    }

    public static long Duration(string text)
    {
        int digits = text.Length;
        while (digits > 0 && char.IsAsciiLetter(text[digits - 1]))
            digits--;

        decimal number = decimal.Parse(text.AsSpan(0, digits), NumberStyles.Number, CultureInfo.InvariantCulture);
        return (long)(number * text[digits..] switch
        {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "min" => 60_000_000,
            "h" => 3_600_000_000,
            _ => throw new ScenarioException($"'{text}' needs a unit: us, ms, s, min or h"),
        });
    }

    private bool Holds(string[] condition) => ScenarioConditions.Holds(_stage, condition);

    private string? RunUntil(string[] condition, long limit)
    {
        var world = _stage.World;
        long end = world.Now + limit;
        while (!Holds(condition))
        {
            if (world.StepBefore(end))
                continue;

            if (world.Violation is not null)
                return null;

            world.RunUntil(end);
            return Holds(condition) ? null : $"not within {SimTrace.Millis(limit)}: {_stage.Situation()}";
        }

        return null;
    }

    private string? Always(string[] condition, long length)
    {
        var world = _stage.World;
        long end = world.Now + length;
        do
        {
            if (!Holds(condition))
                return $"not at {SimTrace.Millis(world.Now)}: {_stage.Situation()}";
        }
        while (world.StepBefore(end));

        world.RunUntil(end);
        return world.Violation is not null || Holds(condition) ? null : $"not at the end: {_stage.Situation()}";
    }
}

/// <summary>A script that makes no sense.</summary>
internal sealed class ScenarioException(string message) : Exception(message);
