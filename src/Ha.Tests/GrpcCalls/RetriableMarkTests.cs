using Grpc.Core;

namespace Ha.Tests.GrpcCalls;

public sealed class RetriableMarkTests
{
    [Fact]
    public void An_error_without_a_mark_says_nothing() =>
        Assert.Null(new RpcException(new Status(StatusCode.Unavailable, "")).IsMarkedRetriable());

    [Fact]
    public void The_last_mark_that_is_made_counts_and_nothing_else_changes()
    {
        var trailers = new Metadata { { "of-the-app", "1" }, { "of-the-app", "2" }, { "bytes-bin", [1, 2] } };
        var error = new RpcException(new Status(StatusCode.Aborted, "why"), trailers, "message");
        var marked = error.MarkUnretriable().MarkRetriable();
        Assert.True(marked.IsMarkedRetriable());
        Assert.False(marked.MarkUnretriable().IsMarkedRetriable());
        Assert.Equal((error.Status, error.Message), (marked.Status, marked.Message));
        Assert.Equal(trailers, marked.Trailers.Where(entry => entry.Key != "ha-retriable"));
        Assert.Single(marked.Trailers.GetAll("ha-retriable"));
        Assert.Null(error.IsMarkedRetriable());
    }

    [Theory]
    [InlineData(null, "maybe")]
    [InlineData(null, "True")]
    [InlineData(false, "false", "true")]
    [InlineData(false, "true", "false")]
    [InlineData(true, "true", "true", "x")]
    public void Of_marks_that_contradict_each_other_the_careful_one_counts(bool? read, params string[] marks)
    {
        var trailers = new Metadata();
        Array.ForEach(marks, mark => trailers.Add("ha-retriable", mark));
        Assert.Equal(read, new RpcException(Status.DefaultCancelled, trailers).IsMarkedRetriable());
    }
}
