using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Ha.Testing;
using Microsoft.Extensions.Configuration;
using Xunit.Abstractions;

namespace Ha.Outside.Tests.Shop;

/// <summary>A test of leadership that fails once in a thousand runs is worse than none: each of these is run so often.</summary>
public class RepetitionTests(ITestOutputHelper output)
{
    private const int AtOnce = 2;

    private static readonly int _times = new ConfigurationBuilder().AddEnvironmentVariables().Build().GetValue("REPETITIONS", 1000);

    private static readonly Dictionary<string, Func<Task>> _tests = new(StringComparer.Ordinal)
    {
        [nameof(LostLeaseTests.An_order_whose_lease_ends_before_its_commit_is_refused_and_not_stored)] =
            new LostLeaseTests().An_order_whose_lease_ends_before_its_commit_is_refused_and_not_stored,
        [nameof(LostLeaseTests.An_order_on_a_node_that_was_paused_before_its_commit_is_refused)] =
            new LostLeaseTests().An_order_on_a_node_that_was_paused_before_its_commit_is_refused,
        [nameof(LostLeaseTests.The_fence_refuses_what_an_old_leader_still_writes)] =
            new LostLeaseTests().The_fence_refuses_what_an_old_leader_still_writes,
        [nameof(HandoverTests.A_running_order_is_finished_first_and_the_next_one_is_sent_on)] =
            new HandoverTests().A_running_order_is_finished_first_and_the_next_one_is_sent_on,
        [nameof(HandoverTests.A_leadership_that_comes_back_in_the_middle_of_an_order_is_another_one)] =
            new HandoverTests().A_leadership_that_comes_back_in_the_middle_of_an_order_is_another_one,
        [nameof(HandoverTests.An_order_waits_while_nobody_is_known_to_lead)] =
            new HandoverTests().An_order_waits_while_nobody_is_known_to_lead,
        ["Failover by peers"] = () => new FailoverTests().Orders_follow_the_leader_through_its_crash(TestArbiter.Peers),
        ["Failover by a lease store"] = () => new FailoverTests().Orders_follow_the_leader_through_its_crash(TestArbiter.LeaseStore),
    };

    public static TheoryData<string> Names => [.. _tests.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    [Trait("Category", "Long")]
    public async Task Passes_a_thousand_times_or_as_often_as_asked(string name)
    {
        var took = new ConcurrentBag<double>();
        using var process = Process.GetCurrentProcess();
        var processor = process.TotalProcessorTime;
        await Parallel.ForEachAsync(Enumerable.Range(0, _times), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (_, _) =>
        {
            var began = TimeProvider.System.GetTimestamp();
            await _tests[name]();
            took.Add(TimeProvider.System.GetElapsedTime(began).TotalMilliseconds);
        });
        var sorted = took.Order().ToArray();
        process.Refresh();
        var work = (process.TotalProcessorTime - processor).TotalMilliseconds / _times;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{name}: shortest {sorted[0]:0.0} ms, median {sorted[_times / 2]:0.0} ms, 99 % {sorted[_times * 99 / 100]:0.0} ms, longest {sorted[^1]:0.0} ms; {work:0.0} ms of a processor"));

        // What a run takes by the wall says more of the machine's other work than of the test.
        Assert.True(work < 200);
    }
}
