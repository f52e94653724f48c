using Ha.Tests.Processes;
using Xunit.Abstractions;

namespace Ha.Tests.OnTheWire;

[Collection(ProcessTests.Name)]
public sealed class RoughWireTests(ITestOutputHelper output)
{
    [Fact]
    [Trait("Category", "Long")]
    public async Task Three_nodes_on_a_rough_network_keep_their_word_byte_for_byte()
    {
        var verdict = await WireCommand.RunAsync(writes: 600, seed: Random.Shared.Next(), stage: 300, output.WriteLine);

        Assert.Empty(verdict.Violations);
        Assert.Equal(0, verdict.Failed);
    }
}
