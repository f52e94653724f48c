namespace Ha.Benchmarks.Load;

/// <summary>
/// <c>[rounds=N] [seconds=S] [pin] [only=NAME] [size=BYTES] [before=FILE] [env=KEY:VALUE+KEY:VALUE,…]</c>. With <c>pin</c>
/// what is measured has core 1 for itself and everything else shares core 0. <c>before</c> is the Ha.Benchmarks.dll of another
/// revision, which then takes turns with this one. Each group of <c>env</c> is one more lane under these settings.
/// </summary>
internal sealed class RunOptions
{
    /// <summary>Between the name of a lane and the settings it has.</summary>
    public const string With = " with ";

    private readonly string? _only;

    public RunOptions(string[] args)
    {
        var values = args.Select(arg => arg.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair.ElementAtOrDefault(1) ?? "");
        Rounds = values.TryGetValue("rounds", out var rounds) ? int.Parse(rounds) : 5;
        Seconds = values.TryGetValue("seconds", out var seconds) ? double.Parse(seconds) : 3;
        Pinned = values.ContainsKey("pin");
        Sizes = values.TryGetValue("size", out var size) ? [int.Parse(size)] : null;
        Before = values.GetValueOrDefault("before");
        Settings = [.. values.GetValueOrDefault("env", "").Split(',', StringSplitOptions.RemoveEmptyEntries)
            .Select(group => group.Split('+').Select(pair => pair.Split(':', 2)).ToDictionary(pair => pair[0], pair => pair[1]))];
        _only = values.GetValueOrDefault("only");
    }

    public int Rounds { get; }

    public double Seconds { get; }

    public bool Pinned { get; }

    public int[]? Sizes { get; }

    public string? Before { get; }

    /// <summary>What an operator may set, one group for each lane that is measured with it.</summary>
    public IReadOnlyList<Dictionary<string, string>> Settings { get; }

    public int? Cpu => Pinned ? 1 : null;

    public int? OtherCpu => Pinned ? 0 : null;

    public bool Wants(string lane) => _only is null || lane == "direct" || _only.Split(',').Contains(lane.Split(With)[0]);

    public override string ToString() =>
        $"{Rounds} rounds of {Seconds:F0} s, {(Pinned ? "measured server on core 1, load and leader on core 0" : "everything shares both cores")}";
}
