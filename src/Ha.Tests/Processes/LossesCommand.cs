using System.CommandLine;
using System.Globalization;
using System.Text;
using Xunit.Abstractions;

namespace Ha.Tests.Processes;

/// <summary>`losses --trials N [--interval MS]`: starts and kills of real processes, and what is not true in their logs.</summary>
internal static class LossesCommand
{
    public const string Usage = "losses [--trials 20] [--interval 500]";

    public static int Run(string[] args, TextWriter console)
    {
        var trials = new Option<int>("--trials") { DefaultValueFactory = _ => 20 };
        var interval = new Option<int>("--interval") { DefaultValueFactory = _ => 500 };
        var command = new RootCommand("Starts clusters, kills their leaders, and looks for losses of leaders that nobody lost.") { trials, interval };
        command.SetAction(parsed => RunAsync(parsed.GetValue(trials), TimeSpan.FromMilliseconds(parsed.GetValue(interval)), console));
        return command.Parse(args).Invoke();
    }

    private static async Task<int> RunAsync(int trials, TimeSpan interval, TextWriter console)
    {
        var untrue = 0;
        for (var trial = 1; trial <= trials; trial++)
        {
            var said = new Said();
            var lines = await LossTrials.RunAsync(said, interval);
            untrue += lines.Count;
            var verdict = lines.Count == 0 ? "all true" : $"{string.Join("; ", lines)}\n{said}";
            console.WriteLine($"start and kill {trial} at {interval.TotalMilliseconds:0} ms: {verdict}");
        }

        return untrue == 0 ? 0 : 1;
    }

    /// <summary>What the nodes said, for whoever wants to know why.</summary>
    private sealed class Said : ITestOutputHelper
    {
        private readonly StringBuilder _text = new();

        public void WriteLine(string message) => _text.AppendLine(message);

        public void WriteLine(string format, params object[] args) => _text.AppendLine(string.Format(CultureInfo.InvariantCulture, format, args));

        public override string ToString() => _text.ToString();
    }
}
