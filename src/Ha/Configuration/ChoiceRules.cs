namespace Ha.Configuration;

/// <summary>Values picked from a set or a range; from code they can still be out of it.</summary>
internal static class ChoiceRules
{
    /// <summary>A held write costs a connection and up to 1 MiB of its buffered body.</summary>
    public const int MaxHeldWrites = 1_000_000;

    public static void Check(HaOptions options, List<string> problems)
    {
        Defined(HaKeys.Quorum, options.Quorum, problems);
        Defined(HaKeys.Preempt, options.Preempt, problems);
        Defined(HaKeys.ForwardMode, options.ForwardMode, problems);
        if (options.WriteHoldMax is < 0 or > MaxHeldWrites)
        {
            problems.Add(
                $"{HaKeys.WriteHoldMax} ({options.WriteHoldMax}) must be from 0 to {MaxHeldWrites}; to hold nothing write {HaKeys.WriteHold}=0.");
        }
    }

    private static void Defined<T>(string key, T value, List<string> problems)
        where T : struct, Enum
    {
        if (!Enum.IsDefined(value))
        {
            problems.Add($"{key} ({value}) is not one of {SettingReader.Choices<T>()}.");
        }
    }
}
