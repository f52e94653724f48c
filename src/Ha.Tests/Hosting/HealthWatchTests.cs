using Ha.Hosting;
using Ha.Tests.Support;
using Microsoft.Extensions.Time.Testing;

namespace Ha.Tests.Hosting;

public sealed class HealthWatchTests : IDisposable
{
    private const string Gone = "the database is gone";
    private static readonly StandingRule _rule = new("db", TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(400), Failures: 3, Successes: 2);

    private readonly FakeTimeProvider _clock = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<string?> _reports = [];
    private readonly List<Exception> _failures = [];
    private bool _wanted = true;
    private Exception? _thrown;

    public void Dispose()
    {
        _stopping.Cancel();
        _stopping.Dispose();
    }

    [Theory]
    [InlineData(null)]
    [InlineData(Gone)]
    public void The_first_result_counts_alone(string? trouble)
    {
        Watch().Count(trouble);
        Assert.Equal([trouble], _reports);
    }

    [Theory]
    [InlineData(false, 3)]
    [InlineData(true, 4)]
    public void So_many_failures_in_a_row_are_trouble_and_one_more_on_the_leader(bool leads, int failures)
    {
        var watch = Watch(leads);
        Count(watch, null, 1);
        Count(watch, Gone, failures - 1);
        Count(watch, null, 1);
        Count(watch, Gone, failures - 1);
        Assert.Equal([null], _reports);
        Count(watch, Gone, 1);
        Assert.Equal([null, Gone], _reports);
        Count(watch, Gone, 10);
        Assert.Equal([null, Gone], _reports);
    }

    [Theory]
    [InlineData(true, 2)]
    [InlineData(false, 3)]
    public void So_many_successes_in_a_row_end_it_and_one_more_on_a_node_that_does_not_lead(bool leads, int successes)
    {
        var watch = Watch(leads);
        Count(watch, Gone, 1);
        Count(watch, null, successes - 1);
        Count(watch, Gone, 1);
        Count(watch, null, successes - 1);
        Assert.Equal([Gone], _reports);
        Count(watch, null, 1);
        Assert.Equal([Gone, null], _reports);
    }

    [Fact]
    public void What_all_share_takes_the_leader_last_and_brings_it_back_first()
    {
        // Each time the others are the first to see it.
        var (other, leader) = (Watch(), Watch(leads: true));
        Both(null, 1);
        _reports.Clear();
        Both(Gone, 3);
        Assert.Equal([Gone], _reports);
        Both(Gone, 1);
        Assert.Equal([Gone, Gone], _reports);
        Both(null, 2);
        Assert.Equal([Gone, Gone, null], _reports);
        Both(null, 1);
        Assert.Equal([Gone, Gone, null, null], _reports);

        void Both(string? trouble, int times)
        {
            for (var i = 0; i < times; i++)
            {
                other.Count(trouble);
                leader.Count(trouble);
            }
        }
    }

    [Fact]
    public void Other_words_for_what_is_wrong_are_told_too()
    {
        var watch = Watch();
        Count(watch, Gone, 1);
        Count(watch, "the disk is full", 1);
        Count(watch, null, 1);
        Count(watch, "the disk is full", 1);
        Count(watch, Gone, 2);
        Assert.Equal([Gone, "the disk is full", Gone], _reports);
    }

    [Fact]
    public async Task What_could_not_be_told_is_told_again()
    {
        _thrown = new InvalidOperationException("not now");
        var running = Watch().RunAsync(_stopping.Token);
        await Eventually.True(() => Advanced(_failures.Count >= 3));
        Assert.Empty(_reports);
        _thrown = null;
        await Eventually.True(() => Advanced(_reports.Count == 1));
        Assert.Equal([null], _reports);
        await _stopping.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task The_checks_run_at_most_once_an_interval_and_end_with_the_host()
    {
        var (runs, began) = (0, _clock.GetTimestamp());
        var running = Watch(check: _ => Task.FromResult(Interlocked.Increment(ref runs) > 0 ? null : Gone)).RunAsync(_stopping.Token);
        await Eventually.True(() => Advanced(Volatile.Read(ref runs) >= 5));
        Assert.True(_clock.GetElapsedTime(began) >= TimeSpan.FromSeconds(4));

        await _stopping.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Where_nobody_wants_to_know_it_ends()
    {
        _wanted = false;
        await Watch().RunAsync(_stopping.Token).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal([null], _reports);
    }

    [Fact]
    public async Task A_check_that_throws_has_failed_and_tells_no_secret()
    {
        _ = Watch(check: _ => throw new InvalidOperationException("Password=hunter2")).RunAsync(_stopping.Token);
        await Eventually.True(() => _reports.Count == 1);
        Assert.Equal(["the health checks tagged db could not be run"], _reports);
    }

    [Fact]
    public async Task A_check_that_never_ends_has_failed_and_is_not_started_again()
    {
        var runs = 0;
        _ = Watch(check: _ => NeverAsync(ref runs)).RunAsync(_stopping.Token);
        await Eventually.True(() => Advanced(_reports.Count == 1));
        Assert.Equal(["the health checks tagged db did not end in 400ms"], _reports);
        for (var i = 0; i < 100; i++)
        {
            _clock.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        Assert.Equal(1, runs);
    }

    private static Task<string?> NeverAsync(ref int runs)
    {
        Interlocked.Increment(ref runs);
        return new TaskCompletionSource<string?>().Task;
    }

    private static void Count(HealthWatch watch, string? trouble, int times)
    {
        for (var i = 0; i < times; i++)
        {
            watch.Count(trouble);
        }
    }

    private HealthWatch Watch(bool leads = false, Func<CancellationToken, Task<string?>>? check = null) =>
        new(_rule, check ?? (_ => Task.FromResult<string?>(null)), () => leads, Report, _failures.Add, _clock);

    private bool Advanced(bool done)
    {
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        return done;
    }

    private bool Report(string? trouble)
    {
        if (_thrown is { } e)
        {
            throw e;
        }

        _reports.Add(trouble);
        return _wanted;
    }
}
