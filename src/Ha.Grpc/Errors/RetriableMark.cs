using System.Runtime.CompilerServices;
using Grpc.Core;
using Ha.Http;

namespace Ha.Grpc.Errors;

/// <summary>Writes and reads <see cref="GrpcMarks.Retriable"/>.</summary>
internal static class RetriableMark
{
    // Tells them from errors that came over the wire with the same trailers.
    private static readonly ConditionalWeakTable<RpcException, object> _marked = [];

    /// <summary>A copy: the trailers of an error that was made without any are read-only.</summary>
    public static RpcException On(RpcException error, bool retriable, params ReadOnlySpan<Metadata.Entry> leader)
    {
        ArgumentNullException.ThrowIfNull(error);
        var trailers = Others(error);
        trailers.Add(GrpcMarks.Retriable, retriable ? GrpcMarks.Yes : GrpcMarks.No);
        foreach (var entry in leader)
        {
            trailers.Add(entry);
        }

        var marked = new RpcException(error.Status, trailers, error.Message);
        _marked.Add(marked, marked.Trailers);
        return marked;
    }

    /// <summary>
    /// True for an error with marks that were not made in this process: a method got it from a call of its own, and what another server
    /// said there says nothing of this method.
    /// </summary>
    public static bool IsReceived(RpcException error) => !_marked.TryGetValue(error, out _) && error.Trailers.Any(IsMark);

    /// <summary>All but the marks, the leader's name among them.</summary>
    public static Metadata Others(RpcException error)
    {
        var trailers = new Metadata();
        foreach (var entry in error.Trailers.Where(static entry => !IsMark(entry)))
        {
            trailers.Add(entry);
        }

        return trailers;
    }

    /// <returns>Null without a mark. Of several that contradict each other the careful one counts.</returns>
    public static bool? In(Metadata trailers)
    {
        bool? retriable = null;
        foreach (var mark in trailers.GetAll(GrpcMarks.Retriable))
        {
            if (mark.IsBinary || mark.Value is not (GrpcMarks.Yes or GrpcMarks.No))
            {
                continue;
            }

            retriable = mark.Value == GrpcMarks.Yes && retriable != false;
        }

        return retriable;
    }

    private static bool IsMark(Metadata.Entry entry) => entry.Key is GrpcMarks.Retriable or GrpcMarks.Leader or GrpcMarks.Epoch;
}
