namespace Ha.Http;

/// <summary>The metadata of the contract in the trailers of a gRPC call. Compiled into the server and both gRPC packages.</summary>
internal static class GrpcMarks
{
    /// <summary><see cref="Yes"/>: provably nothing was executed. <see cref="No"/>: it may have been. Absent: nobody says.</summary>
    public const string Retriable = "ha-retriable";

    /// <summary>The leader's public URL; absent when none is known or nobody may know.</summary>
    public const string Leader = "ha-leader";

    /// <summary>The epoch that goes with <see cref="Leader"/>.</summary>
    public const string Epoch = "ha-epoch";

    public const string Yes = "true";

    public const string No = "false";
}
