using Ha.Tests.Support;

namespace Ha.Tests.Hosting;

public class PublicApiTests
{
    [Fact]
    public void The_public_surface_is_the_one_that_was_reviewed()
    {
        var reviewed = Path.Combine(AppContext.BaseDirectory, "PublicApi.txt");
        var found = Path.Combine(AppContext.BaseDirectory, "PublicApi.found.txt");
        var surface = PublicSurface.Render(typeof(ILeaderProvider).Assembly);
        if (string.Equals(surface, File.ReadAllText(reviewed), StringComparison.Ordinal))
        {
            return;
        }

        File.WriteAllText(found, surface);
        var before = File.ReadAllLines(reviewed);
        var after = surface.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Fail(string.Join(
            '\n',
            [
                "The public API has changed:",
                .. before.Except(after, StringComparer.Ordinal).Select(line => "- " + line),
                .. after.Except(before, StringComparer.Ordinal).Select(line => "+ " + line),
                "If that is meant, let somebody review it and update the record:",
                $"  cp {Path.GetRelativePath(Repository.Root, found)} src/Ha.Tests/PublicApi.txt",
            ]));
    }
}
