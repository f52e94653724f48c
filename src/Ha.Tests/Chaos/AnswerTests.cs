using Ha.Chaos.Clients;
using Ha.Chaos.History;

namespace Ha.Tests.Chaos;

public class AnswerTests
{
    [Fact]
    public void A_note_is_an_acknowledged_write() => Assert.Equal(
        new Answer(Outcome.Ok, 201, "hello", 7, "a", 5), Answer.From(201, notExecuted: false, """{"id":7,"text":"hello","node":"a","epoch":5}"""));

    [Theory]
    [InlineData(503, true, "")]
    [InlineData(503, false, """{"title":"The database is busy"}""")]
    [InlineData(409, false, """{"title":"Still running"}""")]
    public void What_says_that_nothing_was_executed_is_believed_and_checked(int status, bool marked, string body) =>
        Assert.Equal(Outcome.Failed, Answer.From(status, marked, body).Outcome);

    [Theory]
    [InlineData(500, "")]
    [InlineData(502, """{"error":"outcome unknown"}""")]
    [InlineData(503, "")]
    [InlineData(409, "")]
    [InlineData(200, "no json")]
    public void Everything_else_leaves_it_open(int status, string body) =>
        Assert.Equal(Outcome.Unknown, Answer.From(status, notExecuted: false, body).Outcome);

    [Theory]
    [InlineData(true, Outcome.Unknown)]
    [InlineData(false, Outcome.Failed)]
    internal void Without_an_answer_it_counts_whether_anything_was_sent(bool sent, Outcome expected) =>
        Assert.Equal(expected, Answer.Lost("gone", sent).Outcome);
}
