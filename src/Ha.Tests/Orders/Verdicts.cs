namespace Ha.Tests.Orders;

/// <summary>What had to hold and what did.</summary>
internal sealed class Verdicts(TextWriter console)
{
    private int _passed;
    private int _failed;

    public void Expect(bool holds, string what)
    {
        (_passed, _failed) = holds ? (_passed + 1, _failed) : (_passed, _failed + 1);
        console.WriteLine($"{(holds ? "holds" : "DOES NOT HOLD")}: {what}");
    }

    /// <summary>Says how many of each, and the exit code.</summary>
    public int End()
    {
        console.WriteLine($"{_passed} passed, {_failed} failed");
        return _failed == 0 ? 0 : 1;
    }
}
