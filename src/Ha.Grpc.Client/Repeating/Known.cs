using System.Runtime.CompilerServices;
using Grpc.Core;
using Ha.Grpc.Errors;

namespace Ha.Grpc.Client.Repeating;

/// <summary>
/// What is known of a call as a whole, beside the error that its caller gets. Not in the trailers: a service that lets the error of a
/// call of its own pass would send them on as what is known of its method. Nor a type: callers compare those.
/// </summary>
internal static class Known
{
    private static readonly ConditionalWeakTable<RpcException, object> _errors = [];

    /// <returns>As <see cref="HaGrpcCallExtensions.IsSafeToRepeat"/> has it; null: nothing is kept of this one.</returns>
    public static bool? Of(RpcException error) => _errors.TryGetValue(error, out var known) ? (bool)known : null;

    /// <returns>A copy without marks, of which it is kept.</returns>
    public static RpcException On(RpcException error, bool isSafeToRepeat)
    {
        var copy = new RpcException(error.Status, RetriableMark.Others(error), error.Message);
        _errors.Add(copy, isSafeToRepeat);
        return copy;
    }
}
