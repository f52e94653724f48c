using System.Text;

namespace Ha.Tests.GrpcInterop;

/// <summary>A case that every client has to pass, asked of the leader and asked of a follower.</summary>
/// <param name="Name">As gRPC's own description of its interoperability cases has it, where it is one of those.</param>
/// <param name="Result">What a client prints behind the name.</param>
internal sealed record InteropCase(string Name, string Result)
{
    public static IReadOnlyList<InteropCase> All { get; } =
    [
        new("empty_unary", "OK 0"),
        new("large_unary", "OK 314159"),
        new("huge_unary", "OK 6291456"),
        new("client_streaming", "OK 74922"),
        new("server_streaming", "OK 31415 9 2653 58979"),
        new("ping_pong", "OK 31415 9 2653 58979"),
        new("empty_stream", "OK"),
        new("cancel_after_begin", "CANCELLED"),
        new("cancel_after_first_response", "CANCELLED 31415"),
        new("timeout_on_sleeping_server", "DEADLINE_EXCEEDED"),
        new("status_code_and_message", "UNKNOWN test status message; UNKNOWN test status message"),
        new("special_status_message", $"UNKNOWN {Convert.ToHexStringLower(Encoding.UTF8.GetBytes(DotNetClient.Special))}"),
        new("custom_metadata", "test_initial_metadata_value ababab; test_initial_metadata_value ababab"),
        new("unimplemented_method", "UNIMPLEMENTED"),
        new("unimplemented_service", "UNIMPLEMENTED"),
        new("client_compressed_unary", "INVALID_ARGUMENT; OK 314159 1; OK 314159 0"),
        new("server_compressed_unary", "OK 314159 1; OK 314159 0"),
        new("many_streams", "OK 150"),
    ];

    /// <summary>What a client that passes all of them prints.</summary>
    public static string AllPassed { get; } = string.Join('\n', All.Select(one => $"{one.Name} {one.Result}"));
}
