using Grpc.Core;

namespace Ha.Tests.GrpcCalls;

/// <summary>What all methods of <see cref="Calls"/> do.</summary>
/// <param name="texts">What the client said.</param>
/// <param name="answer">Where the call can stream: answers before the last one; else null.</param>
/// <param name="context">The call.</param>
/// <returns>The last answer.</returns>
internal delegate Task<string> CallsMethod(IReadOnlyList<string> texts, Func<string, Task>? answer, ServerCallContext context);

internal sealed class CallsService(CallsMethod method) : Calls.CallsBase
{
    public override async Task<Said> Unary(Said request, ServerCallContext context) =>
        new() { Text = await method([request.Text], null, context) };

    public override async Task<Said> ClientStream(IAsyncStreamReader<Said> requestStream, ServerCallContext context) =>
        new() { Text = await method(await AllAsync(requestStream), null, context) };

    public override async Task ServerStream(Said request, IServerStreamWriter<Said> responseStream, ServerCallContext context)
    {
        var last = await method([request.Text], text => responseStream.WriteAsync(new Said { Text = text }), context);
        await responseStream.WriteAsync(new Said { Text = last });
    }

    public override async Task Duplex(IAsyncStreamReader<Said> requestStream, IServerStreamWriter<Said> responseStream, ServerCallContext context)
    {
        var last = await method(await AllAsync(requestStream), text => responseStream.WriteAsync(new Said { Text = text }), context);
        await responseStream.WriteAsync(new Said { Text = last });
    }

    private static async Task<List<string>> AllAsync(IAsyncStreamReader<Said> stream)
    {
        var texts = new List<string>();
        await foreach (var said in stream.ReadAllAsync())
        {
            texts.Add(said.Text);
        }

        return texts;
    }
}
