using Grpc.Core;

namespace Ha.Tests.GrpcCalls;

/// <summary>What a client has of a call that is over.</summary>
/// <param name="Told">The texts that came.</param>
/// <param name="Status">How it ended.</param>
/// <param name="Trailers">With which trailers.</param>
/// <param name="Headers">The headers of the answer.</param>
internal sealed record CallOutcome(IReadOnlyList<string> Told, Status Status, Metadata Trailers, Metadata Headers)
{
    /// <summary>Status and marks in one line.</summary>
    public string Line => string.Join(
        ' ',
        new[] { $"{Status.StatusCode}", Trailers.GetValue("ha-retriable"), Trailers.GetValue("ha-leader"), Trailers.GetValue("ha-epoch") }
            .Where(word => word is not null));

    public static async Task<CallOutcome> OfAsync(
        Func<List<string>, Task> read, Func<Status> status, Func<Metadata> trailers, Task<Metadata> headers)
    {
        var told = new List<string>();
        try
        {
            await read(told);
        }
        catch (RpcException)
        {
            // What it says is asked for below.
        }

        return new CallOutcome(told, status(), trailers(), headers.IsCompletedSuccessfully ? await headers : []);
    }
}
