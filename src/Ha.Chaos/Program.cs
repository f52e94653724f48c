namespace Ha.Chaos;

public static class Program
{
    public static Task<int> Main(string[] args) => ChaosCommand.RunAsync(args);
}
