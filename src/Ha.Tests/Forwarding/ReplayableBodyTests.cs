using System.IO.Pipelines;
using Ha.Forwarding.Proxy;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Tests.Forwarding;

public sealed class ReplayableBodyTests
{
    [Fact]
    public async Task An_attempt_that_is_cancelled_while_it_writes_does_not_cancel_the_handler_that_reads_next()
    {
        var pipe = new Pipe();
        var context = new DefaultHttpContext { Request = { ContentLength = 8 } };
        context.Features.Set<IRequestBodyPipeFeature>(new ClientBody(pipe.Reader));
        await pipe.Writer.WriteAsync("half"u8.ToArray());
        using var body = new ReplayableBody(context.Request);
        using var attempt = new CancellationTokenSource();
        var leader = new StuckLeader();
        var copying = body.CopyToAsync(leader, attempt.Token);
        await leader.Writing.Task;
        await attempt.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => copying);

        body.ReturnToRequest();
        await pipe.Writer.WriteAsync("rest"u8.ToArray());
        await pipe.Writer.CompleteAsync();

        var read = new MemoryStream();
        await context.Request.Body.CopyToAsync(read);
        Assert.Equal("halfrest"u8.ToArray(), read.ToArray());
    }

    private sealed class ClientBody(PipeReader reader) : IRequestBodyPipeFeature
    {
        public PipeReader Reader => reader;
    }

    /// <summary>Takes nothing, until the attempt is given up.</summary>
    private sealed class StuckLeader : MemoryStream
    {
        public TaskCompletionSource Writing { get; } = new();

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Writing.SetResult();
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
    }
}
