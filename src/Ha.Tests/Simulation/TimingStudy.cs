namespace Ha.Tests.Simulation;

internal static class TimingStudy
{
    public static void Print(TextWriter output) => output.WriteLine("later");
}
