using Xunit.Abstractions;

namespace Ha.Tests.Mutants;

public class MutantTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_patch_applies_exactly_once_and_compiles()
    {
        var compiler = new MutantCompiler();
        foreach (var mutant in MutantList.All)
            Assert.Null(compiler.Check(mutant));
    }

    [Fact]
    public void A_patch_that_does_not_compile_is_an_error()
    {
        var broken = new Mutant("broken", 3, new Edit("Voter.cs", "long deferMicros, long max", "Nowhere deferMicros, long max"));
        Assert.Contains("Nowhere", new MutantCompiler().Check(broken), StringComparison.Ordinal);
    }

    /// <summary>The whole gate takes minutes and is a step of its own: <c>Ha.Tests mutants</c>. Here, the quickest to catch.</summary>
    [Theory]
    [InlineData("no quarantine")]
    [InlineData("self-vote bypass")]
    [InlineData("cached leader flag")]
    [InlineData("lowest ID steals a held vote")]
    public void A_protocol_without_this_rule_is_caught(string name)
    {
        var verdict = new MutationGate(TextWriter.Null).Judge(MutantList.All.Single(mutant => mutant.Name == name));
        output.WriteLine($"{verdict.Mutant.Name}: {verdict.Seeds} seeds, {verdict.By}");
        Assert.NotNull(verdict.By);
        Assert.DoesNotContain("ERROR", verdict.By, StringComparison.Ordinal);
    }

    [Fact]
    public void The_protocol_itself_is_not_caught()
    {
        var verdict = new MutationGate(TextWriter.Null).Judge(new Mutant("nothing changed", 3) { Seeds = 40 });
        Assert.Null(verdict.By);
    }

    [Fact]
    public void A_patch_that_does_not_apply_is_an_error()
    {
        var lost = new Mutant("lost", 3, new Edit("Voter.cs", "this text is nowhere", ""));
        Assert.Null(new MutantCompiler().Compile(lost, out string? error));
        Assert.Contains("exactly once", error, StringComparison.Ordinal);
    }
}
