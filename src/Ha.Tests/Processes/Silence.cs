using Xunit.Abstractions;

namespace Ha.Tests.Processes;

/// <summary>For commands: they print what they found, not what each node said.</summary>
internal sealed class Silence : ITestOutputHelper
{
    public void WriteLine(string message)
    {
    }

    public void WriteLine(string format, params object[] args)
    {
    }
}
