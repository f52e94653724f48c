namespace Ha.Tests.Processes;
internal sealed class TempOut : Xunit.Abstractions.ITestOutputHelper
{
    public void WriteLine(string message) => System.IO.File.AppendAllText("/tmp/lw-nodes.log", message + "\n");
    public void WriteLine(string format, params object[] args) { }
}
