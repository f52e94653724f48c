using System.Buffers;
using System.Buffers.Binary;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;

namespace Ha.Endpoints.GrpcHealth;

/// <summary>What a call asks about.</summary>
internal enum HealthService
{
    /// <summary>The empty name: the node as a whole.</summary>
    Node,

    /// <summary><c>ha.Leader</c>, or <c>quis.RaftLeader</c> as clients of other products call it.</summary>
    Leader,

    Unknown,
}

/// <summary>
/// The one message of a health call: five bytes of gRPC's framing and <c>HealthCheckRequest { string service = 1; }</c>.
/// </summary>
/// <param name="Service">What it asks about, when it could be read.</param>
/// <param name="Problem">Why it could not be read.</param>
internal readonly record struct GrpcHealthRequest(HealthService Service, GrpcOutcome? Problem = null)
{
    /// <summary>Room for the longest sensible name many times over.</summary>
    public const int MaxBytes = 4096;

    private const int PrefixBytes = 5;

    public static async Task<GrpcHealthRequest> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        var reader = request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(cancellationToken);
            if (TryRead(read.Buffer, read.IsCompleted, request.Headers.GrpcEncoding.ToString()) is { } result)
            {
                reader.AdvanceTo(read.Buffer.End);
                return result;
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    /// <summary>Statuses as in gRPC's table of those that libraries generate (doc/statuscodes.md).</summary>
    /// <returns>Null while more is to come.</returns>
    private static GrpcHealthRequest? TryRead(ReadOnlySequence<byte> body, bool isWhole, string encoding)
    {
        if (body.Length < PrefixBytes)
        {
            return !isWhole ? null
                : body.IsEmpty ? Refuse(GrpcStatus.Unimplemented, "the request has no message")
                : Refuse(GrpcStatus.Internal, "the message is cut off");
        }

        Span<byte> prefix = stackalloc byte[PrefixBytes];
        body.Slice(0, PrefixBytes).CopyTo(prefix);
        if (prefix[0] != 0)
        {
            return prefix[0] == 1 && encoding is not ("" or "identity")
                ? Refuse(GrpcStatus.Unimplemented, "compressed messages are not supported")
                : Refuse(GrpcStatus.Internal, "the message has a flag that its headers do not explain");
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(prefix[1..]);
        if (length > MaxBytes)
        {
            return Refuse(GrpcStatus.ResourceExhausted, "the message is too large");
        }

        var message = body.Slice(PrefixBytes);
        if (message.Length > length)
        {
            return Refuse(GrpcStatus.Unimplemented, "the request has more than one message");
        }

        return !isWhole ? null
            : message.Length < length ? Refuse(GrpcStatus.Internal, "the message is cut off")
            : Find(message.ToArray()) is { } service ? new GrpcHealthRequest(service)
            : Refuse(GrpcStatus.Internal, "the message cannot be parsed");
    }

    private static GrpcHealthRequest Refuse(GrpcStatus status, string message) =>
        new(HealthService.Unknown, new GrpcOutcome(status, message));

    /// <summary>As protobuf asks: the last of several values counts, fields that nobody knows are skipped.</summary>
    /// <returns>Null for what is no message.</returns>
    private static HealthService? Find(ReadOnlySpan<byte> message)
    {
        const ulong ServiceTag = (1 << 3) | 2;
        var service = HealthService.Node;
        while (!message.IsEmpty)
        {
            if (!TryReadVarint(ref message, out var tag) || tag >> 3 is 0 or > 0x1FFFFFFF)
            {
                return null;
            }

            var bytes = 0UL;
            var isSkipped = (tag & 7) switch
            {
                0 => TryReadVarint(ref message, out _),
                1 => Has(bytes = 8, message),
                2 => TryReadVarint(ref message, out bytes) && Has(bytes, message),
                5 => Has(bytes = 4, message),
                _ => false,
            };
            if (!isSkipped)
            {
                return null;
            }

            var value = message[..(int)bytes];
            message = message[(int)bytes..];
            if (tag != ServiceTag)
            {
                continue;
            }

            if (!Utf8.IsValid(value))
            {
                return null;
            }

            service = Named(value);
        }

        return service;
    }

    private static HealthService Named(ReadOnlySpan<byte> name) =>
        name.IsEmpty ? HealthService.Node
        : name.SequenceEqual("ha.Leader"u8) || name.SequenceEqual("quis.RaftLeader"u8) ? HealthService.Leader
        : HealthService.Unknown;

    private static bool Has(ulong bytes, ReadOnlySpan<byte> message) => bytes <= (ulong)message.Length;

    private static bool TryReadVarint(ref ReadOnlySpan<byte> message, out ulong value)
    {
        value = 0;
        for (var i = 0; i < message.Length && i < 10; i++)
        {
            value |= (ulong)(message[i] & 0x7F) << (7 * i);
            if (message[i] < 0x80)
            {
                message = message[(i + 1)..];
                return true;
            }
        }

        return false;
    }
}
