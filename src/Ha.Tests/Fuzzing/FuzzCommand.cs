using System.CommandLine;
using System.Globalization;

namespace Ha.Tests.Fuzzing;

/// <summary>`fuzz [--inputs N] [--seed N]`: the long run of what <see cref="FuzzTests"/> does in a second.</summary>
internal static class FuzzCommand
{
    public const string Usage = "fuzz [--inputs 1000000] [--seed N]";

    public static int Run(string[] args, TextWriter console)
    {
        var inputs = new Option<int>("--inputs") { DefaultValueFactory = _ => 1_000_000, Description = "How many, over all targets." };
        var seed = new Option<int>("--seed") { DefaultValueFactory = _ => Random.Shared.Next(), Description = "Repeats a run." };
        var command = new RootCommand("Random bytes against the heartbeat's parser and its verifier. Exit code 1 on any crash or wrong answer.") { inputs, seed };
        command.SetAction(parsed => Run(parsed.GetValue(inputs), parsed.GetValue(seed), console));
        return command.Parse(args).Invoke();
    }

    private static int Run(int inputs, int seed, TextWriter console)
    {
        var clock = TimeProvider.System;
        var started = clock.GetTimestamp();
        console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"fuzz --inputs {inputs} --seed {seed}"));
        var reports = new List<FuzzReport>();
        for (var i = 0; i < FuzzTarget.All.Count; i++)
        {
            // Each of its own, so that one target can be looked at without the others.
            var share = inputs / FuzzTarget.All.Count + (i < inputs % FuzzTarget.All.Count ? 1 : 0);
            var report = FuzzTarget.All[i].Run(unchecked(seed + i), share);
            report.Print(console);
            reports.Add(report);
        }

        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{inputs:N0} inputs in {clock.GetElapsedTime(started).TotalSeconds:N1} s: {reports.Sum(r => r.Crashes)} crashes, {reports.Sum(r => r.WrongAnswers)} wrong answers"));
        return reports.TrueForAll(report => report.Clean) ? 0 : 1;
    }
}
