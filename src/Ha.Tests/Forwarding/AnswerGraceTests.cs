using Ha.Leadership;

namespace Ha.Tests.Forwarding;

public sealed class AnswerGraceTests : IDisposable
{
    private static readonly TimeSpan _lease = TimeSpan.FromSeconds(1.5);

    private readonly ManualTime _time = new();
    private readonly FakeLeadership _leadership;
    private readonly AnswerGrace _terms;

    public AnswerGraceTests()
    {
        _leadership = new FakeLeadership("me", _time).Follow("http://a", epoch: 1);
        _terms = new AnswerGrace(_leadership, _time, _lease);
    }

    public void Dispose()
    {
        _terms.Dispose();
        _leadership.Dispose();
    }

    [Fact]
    public void Requests_are_given_up_one_lease_after_their_leader()
    {
        var token = _terms.GivenUp(_leadership.Current);
        _time.Advance(10 * _lease);
        Assert.False(token.IsCancellationRequested);

        _leadership.LoseLeader();
        _time.Advance(_lease / 2);
        _leadership.Follow("http://b", epoch: 2);
        _time.Advance(_lease / 2 - TimeSpan.FromMilliseconds(1));
        Assert.False(token.IsCancellationRequested);

        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(token.IsCancellationRequested);
    }

    [Fact]
    public void A_leader_out_of_sight_for_a_moment_keeps_them()
    {
        var token = _terms.GivenUp(_leadership.Current);

        _leadership.LoseLeader();
        _time.Advance(_lease / 2);
        _leadership.Follow("http://a", epoch: 1);
        _time.Advance(10 * _lease);

        Assert.False(token.IsCancellationRequested);
    }

    [Fact]
    public void Requests_of_one_term_share_a_token_and_the_next_term_has_its_own()
    {
        var first = _terms.GivenUp(_leadership.Current);
        Assert.Equal(first, _terms.GivenUp(_leadership.Current));

        _leadership.Follow("http://a", epoch: 2);
        var second = _terms.GivenUp(_leadership.Current);
        _time.Advance(_lease);

        Assert.True(first.IsCancellationRequested);
        Assert.False(second.IsCancellationRequested);
    }

    [Fact]
    public void A_request_that_still_goes_to_the_last_leader_does_not_end_the_present_term()
    {
        var last = _leadership.Current;
        _leadership.Follow("http://b", epoch: 2);
        var present = _terms.GivenUp(_leadership.Current);

        var late = _terms.GivenUp(last);
        _time.Advance(_lease);

        Assert.True(late.IsCancellationRequested);
        Assert.False(present.IsCancellationRequested);
        Assert.Equal(present, _terms.GivenUp(_leadership.Current));
    }

    [Fact]
    public void A_leader_that_returns_after_it_was_given_up_gets_a_fresh_token()
    {
        var stale = _leadership.Current;
        _terms.GivenUp(stale);
        _leadership.LoseLeader();
        _time.Advance(_lease);

        Assert.False(_terms.GivenUp(stale).IsCancellationRequested);
    }
}
