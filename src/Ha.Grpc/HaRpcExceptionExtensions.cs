using Grpc.Core;
using Ha.Grpc.Errors;

namespace Ha;

/// <summary>
/// Says to clients whether a call that failed may be repeated, in the trailer <c>ha-retriable</c>; <c>Ha.Grpc.Client</c> goes by it.
/// </summary>
public static class HaRpcExceptionExtensions
{
    /// <summary>
    /// Says that <em>nothing was executed</em>, so that whoever gets the error may send the call again, to any node. Said after an
    /// effect it makes that happen twice.
    /// </summary>
    /// <param name="error">What a method is about to throw; stays as it is.</param>
    /// <returns>The same error with the mark beside its other trailers, to be thrown in its place.</returns>
    public static RpcException MarkRetriable(this RpcException error) => RetriableMark.On(error, retriable: true);

    /// <summary>Says that the call may have been executed: nobody repeats it who has not called it idempotent.</summary>
    /// <param name="error">What a method is about to throw; stays as it is.</param>
    /// <returns>The same error with the mark beside its other trailers, to be thrown in its place.</returns>
    public static RpcException MarkUnretriable(this RpcException error) => RetriableMark.On(error, retriable: false);

    /// <summary>
    /// What the server said of an error: true after <see cref="MarkRetriable"/>, false after <see cref="MarkUnretriable"/>.
    /// </summary>
    /// <param name="error">
    /// Caught from a call, or about to be thrown. Not one of a client with the repeats of <c>Ha.Grpc.Client</c>: there ask
    /// <c>IsSafeToRepeat()</c>.
    /// </param>
    /// <returns>Null: nothing was said, as by servers without this package.</returns>
    public static bool? IsMarkedRetriable(this RpcException error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return RetriableMark.In(error.Trailers);
    }
}
