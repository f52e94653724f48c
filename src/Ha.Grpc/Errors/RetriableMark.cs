using Grpc.Core;
using Ha.Http;

namespace Ha.Grpc.Errors;

/// <summary>Writes and reads <see cref="GrpcMarks.Retriable"/>.</summary>
internal static class RetriableMark
{
    /// <summary>A copy: the trailers of an error that was made without any are read-only.</summary>
    public static RpcException On(RpcException error, bool retriable)
    {
        ArgumentNullException.ThrowIfNull(error);
        var trailers = new Metadata { { GrpcMarks.Retriable, retriable ? GrpcMarks.Yes : GrpcMarks.No } };
        foreach (var entry in error.Trailers.Where(static entry => entry.Key != GrpcMarks.Retriable))
        {
            trailers.Add(entry);
        }

        return new RpcException(error.Status, trailers, error.Message);
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
}
