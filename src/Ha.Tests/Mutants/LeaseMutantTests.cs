using Xunit.Abstractions;

namespace Ha.Tests.Mutants;

public class LeaseMutantTests(ITestOutputHelper output)
{
    public static TheoryData<string> Names => new(LeaseMutantList.All.Select(mutant => mutant.Name));

    [Fact]
    public void Every_patch_applies_exactly_once_and_compiles()
    {
        var compiler = new MutantCompiler();
        foreach (var mutant in LeaseMutantList.All)
            Assert.Null(compiler.Check(mutant));
    }

    [Theory]
    [InlineData("lease: no drift factor")]
    [InlineData("claim: another's record, without waiting")]
    public void A_lease_without_this_rule_is_caught(string name) => Caught(name);

    [Theory]
    [Trait("Category", "Long")]
    [MemberData(nameof(Names))]
    public void Every_rule_is_missed(string name) => Caught(name);

    private void Caught(string name)
    {
        var verdict = new MutationGate(TextWriter.Null).Judge(LeaseMutantList.All.Single(mutant => mutant.Name == name));
        output.WriteLine($"{verdict.Mutant.Name}: {verdict.Seeds} seeds, {verdict.By}");
        Assert.NotNull(verdict.By);
        Assert.DoesNotContain("ERROR", verdict.By, StringComparison.Ordinal);
    }
}
