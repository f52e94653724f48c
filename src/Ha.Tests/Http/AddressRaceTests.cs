using System.Net;
using System.Net.Sockets;
using Ha.Tests.Support;

namespace Ha.Tests.Http;

/// <summary>When which address of a name is tried, and what is said when none answers, on virtual time.</summary>
public sealed class AddressRaceTests
{
    private const string V6A = "fd00::a";
    private const string V6B = "fd00::b";
    private const string V6C = "fd00::c";
    private const string V4A = "10.0.0.1";
    private const string V4B = "10.0.0.2";

    [Fact]
    public async Task The_families_take_turns_a_quarter_of_a_second_apart()
    {
        using var race = new ScriptedRace(V6A, V6B, V6C, V4A, V4B);
        using var socket = Unconnected();

        var connecting = race.ConnectAsync(milliseconds: 10_000);
        await race.BeganAsync(1);
        await race.AdvanceAsync(250, count: 2);
        await race.AdvanceAsync(250, count: 3);
        await race.AdvanceAsync(249, count: 3);
        await race.AdvanceAsync(1, count: 4);
        await race.AdvanceAsync(250, count: 5, last: true);
        race.Succeed(V4B, socket);

        Assert.Same(socket, await connecting);
        Assert.Equal([(V6A, 0), (V4A, 250), (V6B, 500), (V4B, 750), (V6C, 1000)], race.Started);
    }

    [Theory]
    [InlineData(800, 100)]
    [InlineData(80, 10)]
    [InlineData(30, 3)]
    [InlineData(4, 1)]
    public async Task Little_time_is_divided_so_that_all_begin_early(int timeout, int second)
    {
        using var race = new ScriptedRace(V4A, V6A);
        using var socket = Unconnected();

        var connecting = race.ConnectAsync(timeout);
        await race.BeganAsync(1);
        await race.AdvanceAsync(second, count: 2, last: true);
        race.Succeed(V6A, socket);

        Assert.Same(socket, await connecting);
        Assert.Equal([(V4A, 0), (V6A, second)], race.Started);
    }

    [Fact]
    public async Task A_refusal_starts_the_next_address_at_once()
    {
        using var race = new ScriptedRace(V6A, V6B, V4A);
        using var socket = Unconnected();

        var connecting = race.ConnectAsync(milliseconds: 10_000);
        await race.BeganAsync(1);
        race.Refuse(V6A);
        await race.BeganAsync(2);
        race.Refuse(V4A);
        await race.BeganAsync(3, last: true);
        race.Succeed(V6B, socket);

        Assert.Same(socket, await connecting);
        Assert.Equal([(V6A, 0), (V4A, 0), (V6B, 0)], race.Started);
    }

    [Fact]
    public async Task Nothing_happens_after_the_first_has_connected()
    {
        using var race = new ScriptedRace(V6A, V4A, V6B);
        using var socket = Unconnected();
        var connecting = race.ConnectAsync(milliseconds: 10_000);
        await race.BeganAsync(1);
        await race.AdvanceAsync(250, count: 2);

        race.Succeed(V6A, socket);
        await connecting;
        race.Time.Advance(TimeSpan.FromHours(1));

        Assert.Equal((2, 0, 1), (race.Started.Count, race.Time.Armed, race.Ended));
        Assert.False(socket.SafeHandle.IsClosed);
    }

    [Fact]
    public async Task One_that_connects_after_the_first_is_closed()
    {
        using var race = new ScriptedRace(V6A, V4A) { Obedient = false };
        using var winner = Unconnected();
        using var loser = Unconnected();
        var connecting = race.ConnectAsync(milliseconds: 10_000);
        await race.BeganAsync(1);
        await race.AdvanceAsync(250, count: 2, last: true);

        race.Succeed(V4A, winner);
        await Eventually.True(() => race.Told == 1);
        race.Succeed(V6A, loser);

        Assert.Same(winner, await connecting);
        Assert.Equal((false, true), (winner.SafeHandle.IsClosed, loser.SafeHandle.IsClosed));
    }

    [Fact]
    public async Task When_none_answers_the_failure_says_what_became_of_each()
    {
        using var race = new ScriptedRace(V6A, V4A, V4B);
        var connecting = race.ConnectAsync(milliseconds: 1500);
        await race.BeganAsync(1);
        await race.AdvanceAsync(125, count: 2);
        race.Refuse(V4A);
        await race.BeganAsync(3, last: true);
        race.Time.Advance(TimeSpan.FromMilliseconds(1375));

        var failure = await Assert.ThrowsAsync<SocketException>(() => connecting);

        Assert.Equal("[fd00::a]:8080: no answer in 1500 ms; 10.0.0.1:8080: Connection refused; 10.0.0.2:8080: no answer in 1375 ms", failure.Message);
        Assert.Equal((SocketError.TimedOut, 0), (failure.SocketErrorCode, race.Time.Armed));
    }

    [Fact]
    public async Task An_address_that_there_was_no_time_for_is_named_too()
    {
        using var race = new ScriptedRace { Resolved = new TaskCompletionSource<IPAddress[]>() };
        var connecting = race.ConnectAsync(milliseconds: 800);
        race.Time.Advance(TimeSpan.FromMilliseconds(790));
        race.Resolved.SetResult([IPAddress.Parse(V4A), IPAddress.Parse(V4B)]);
        await race.BeganAsync(1);
        race.Time.Advance(TimeSpan.FromMilliseconds(10));

        // The attempt that runs ends with the time, and with it the pause before the next one.
        var failure = await Assert.ThrowsAsync<SocketException>(() => connecting);

        Assert.Equal("10.0.0.1:8080: no answer in 10 ms; 10.0.0.2:8080: not tried", failure.Message);
    }

    [Fact]
    public async Task A_resolver_that_does_not_answer_is_left_when_the_time_is_over()
    {
        using var race = new ScriptedRace { Resolved = new TaskCompletionSource<IPAddress[]>() };
        var connecting = race.ConnectAsync(milliseconds: 800);
        race.Time.Advance(TimeSpan.FromMilliseconds(800));

        var failure = await Assert.ThrowsAsync<SocketException>(() => connecting);

        Assert.Equal(("leader.example: no address in 800 ms", SocketError.HostNotFound), (failure.Message, failure.SocketErrorCode));
        Assert.Empty(race.Started);
    }

    [Fact]
    public async Task A_resolver_that_fails_when_nobody_waits_any_more_leaves_no_unobserved_exception()
    {
        const string Late = "The resolver failed late.";
        var unobserved = 0;
        EventHandler<UnobservedTaskExceptionEventArgs> count = (_, e) => unobserved += e.Exception.InnerException?.Message == Late ? 1 : 0;
        TaskScheduler.UnobservedTaskException += count;
        try
        {
            await FailLateAsync(Late);
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Assert.Equal(0, unobserved);
        }
        finally
        {
            TaskScheduler.UnobservedTaskException -= count;
        }

        static async Task FailLateAsync(string message)
        {
            using var race = new ScriptedRace { Resolved = new TaskCompletionSource<IPAddress[]>() };
            var connecting = race.ConnectAsync(milliseconds: 800);
            race.Time.Advance(TimeSpan.FromMilliseconds(800));
            await Assert.ThrowsAsync<SocketException>(() => connecting);
            race.Resolved.SetException(new SocketException((int)SocketError.TryAgain, message));
        }
    }

    [Fact]
    public async Task A_name_without_an_address_is_told_from_one_that_takes_no_connection()
    {
        using var race = new ScriptedRace();

        var failure = await Assert.ThrowsAsync<SocketException>(() => race.ConnectAsync(milliseconds: 800));

        Assert.Equal(("leader.example: no address", SocketError.HostNotFound), (failure.Message, failure.SocketErrorCode));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_caller_that_cancels_is_obeyed_at_once(bool whileResolving)
    {
        using var race = new ScriptedRace(V6A, V4A);
        race.Resolved = whileResolving ? new TaskCompletionSource<IPAddress[]>() : race.Resolved;
        var connecting = race.ConnectAsync(milliseconds: 10_000);
        if (!whileResolving)
        {
            await race.BeganAsync(1);
            await race.AdvanceAsync(250, count: 2, last: true);
        }

        race.Cancel();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => connecting);
        Assert.Equal((whileResolving ? 0 : 2, 0), (race.Ended, race.Time.Armed));
    }

    private static Socket Unconnected() => new(SocketType.Stream, ProtocolType.Tcp);
}
