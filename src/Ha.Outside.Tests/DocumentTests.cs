using System.Text.RegularExpressions;

namespace Ha.Outside.Tests;

/// <summary>What docs/testing.md shows is code that runs.</summary>
public partial class DocumentTests
{
    [Fact]
    public void Every_example_is_the_code_of_a_test()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "Ha.sln")))
        {
            root = root.Parent!;
        }

        var tests = Directory.EnumerateFiles(Path.Combine(root.FullName, "src", "Ha.Outside.Tests"), "*.cs", SearchOption.AllDirectories)
            .Select(file => WithoutIndentation(File.ReadAllText(file)))
            .ToArray();
        var examples = Example().Matches(File.ReadAllText(Path.Combine(root.FullName, "docs", "testing.md")));
        Assert.NotEmpty(examples);
        Assert.All(
            examples.SelectMany(example => WithoutIndentation(example.Groups["code"].Value).Split("\n\n[", StringSplitOptions.RemoveEmptyEntries)),
            method => Assert.Contains(tests, test => test.Contains(method.Trim(), StringComparison.Ordinal)));
    }

    private static string WithoutIndentation(string text) => string.Join('\n', text.Split('\n').Select(line => line.Trim()));

    [GeneratedRegex("```csharp\n(?<code>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Example();
}
