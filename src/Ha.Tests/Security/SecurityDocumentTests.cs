using System.Text.RegularExpressions;
using Ha.Tests.Support;

namespace Ha.Tests.Security;

/// <summary>docs/security.md points to tests for what it claims.</summary>
public sealed partial class SecurityDocumentTests
{
    [Fact]
    public void Every_test_class_that_it_names_exists()
    {
        var text = Repository.Read("docs/security.md");
        var named = Names().Matches(text).Select(match => match.Groups["name"].Value).Distinct(StringComparer.Ordinal).ToArray();
        var present = typeof(SecurityDocumentTests).Assembly.GetTypes().Select(type => type.Name).ToHashSet(StringComparer.Ordinal);

        Assert.NotEmpty(named);
        Assert.Empty(named.Except(present));
    }

    [GeneratedRegex("`(?<name>\\w+Tests)`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Names();
}
