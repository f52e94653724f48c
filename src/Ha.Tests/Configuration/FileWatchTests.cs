using Ha.Security;
using Ha.Tests.Forwarding;

namespace Ha.Tests.Configuration;

public sealed class FileWatchTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("ha-watch-");
    private readonly CancellationTokenSource _stopping = new();
    private readonly ManualTime _time = new();
    private readonly List<string> _seen = [];

    private string Secret => Path.Combine(_folder.FullName, "secret");

    public void Dispose()
    {
        _stopping.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public void What_stands_there_is_told_once_and_then_each_change()
    {
        Watch("a");
        Look(times: 5);
        Assert.Equal(["a"], _seen);

        File.WriteAllText(Secret, "b");
        Look(times: 5);
        Assert.Equal(["a", "b"], _seen);
    }

    [Fact]
    public void A_file_that_is_being_written_is_waited_for()
    {
        Watch("a");
        Look(times: 2);
        foreach (var half in new[] { "b", "b,", "b,c" })
        {
            File.WriteAllText(Secret, half);
            Look();
            Assert.Equal(["a"], _seen);
        }

        Look();
        Assert.Equal(["a", "b,c"], _seen);
    }

    [Fact]
    public void A_file_that_vanishes_and_comes_back_is_told()
    {
        Watch("a");
        Look(times: 2);
        File.Delete(Secret);
        Look(times: 2);
        File.WriteAllText(Secret, "a");
        Look(times: 2);

        Assert.Equal(["a", "names a file that does not exist; create it or correct the path", "a"], _seen);
    }

    /// <summary>How Kubernetes updates a mounted secret: the file's own link never changes.</summary>
    [Fact]
    public void A_symbolic_link_further_up_may_be_swapped()
    {
        foreach (var version in new[] { "1", "2" })
        {
            File.WriteAllText(Path.Combine(_folder.CreateSubdirectory(version).FullName, "secret"), version);
        }

        var data = Path.Combine(_folder.FullName, "..data");
        Directory.CreateSymbolicLink(data, "1");
        File.CreateSymbolicLink(Secret, Path.Combine("..data", "secret"));
        FileWatch.Start([Secret], _time, texts => _seen.Add(texts[0].Content), _stopping.Token);
        Look(times: 2);

        Directory.Delete(data);
        Directory.CreateSymbolicLink(data, "2");
        Look(times: 2);

        Assert.Equal(["1", "2"], _seen);
    }

    [Fact]
    public void Whoever_throws_is_told_of_the_next_change_all_the_same()
    {
        Watch("a", () => throw new InvalidOperationException("a log that is full"));
        Look(times: 3);
        File.WriteAllText(Secret, "b");
        Look(times: 3);

        Assert.Equal(["a", "b"], _seen);
    }

    [Fact]
    public void It_ends_with_its_token_and_without_files_it_does_not_begin()
    {
        FileWatch.Start([], _time, _ => Assert.Fail("nothing to watch"), _stopping.Token);
        Assert.Equal(0, _time.Armed);

        Watch("a");
        Assert.Equal(1, _time.Armed);
        _stopping.Cancel();
        Assert.Equal(0, _time.Armed);
    }

    /// <summary>Four looks a second for as long as a process lives.</summary>
    [Fact]
    public void A_look_allocates_about_what_stands_in_the_file()
    {
        File.WriteAllText(Secret, new string('x', 40));
        SecretText.Read(Secret);

        var before = GC.GetAllocatedBytesForCurrentThread();
        SecretText.Read(Secret);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, 16 * 1024);
    }

    [Theory]
    [InlineData(SecretText.MaxBytes, true)]
    [InlineData(SecretText.MaxBytes + 1, false)]
    [InlineData(10 * SecretText.MaxBytes, false)]
    public void A_file_of_the_largest_size_is_read_whole_and_a_larger_one_is_not(int length, bool read)
    {
        File.WriteAllText(Secret, new string('x', length));
        var text = SecretText.Read(Secret);
        Assert.Equal(read, text.Obstacle is null);
        Assert.Equal(read ? length : 0, text.Content.Length);
    }

    [Fact]
    public void What_was_read_is_not_printed() => Assert.Equal("7 characters", new SecretText("hunter2", null).ToString());

    private void Watch(string content, Action? then = null)
    {
        File.WriteAllText(Secret, content);
        FileWatch.Start(
            [Secret],
            _time,
            texts =>
            {
                _seen.Add(texts[0].Obstacle ?? texts[0].Content);
                then?.Invoke();
            },
            _stopping.Token);
    }

    private void Look(int times = 1)
    {
        for (var i = 0; i < times; i++)
        {
            _time.Advance(FileWatch.Period);
        }
    }
}
