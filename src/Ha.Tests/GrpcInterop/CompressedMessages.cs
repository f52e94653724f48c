using System.Globalization;
using System.IO.Compression;
using Grpc.Core;
using Grpc.Net.Compression;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.GrpcInterop;

/// <summary>How many messages of a call travelled compressed, which neither side's gRPC tells; its clients read the trailer.</summary>
internal sealed class CompressedMessages
{
    private const string Trailer = "interop-compressed";

    private static readonly AsyncLocal<CompressedMessages?> _current = new();

    private int _sent;

    public int Received { get; private set; }

    public static CompressedMessages Of(ServerCallContext context) =>
        (CompressedMessages)context.GetHttpContext().Items[typeof(CompressedMessages)]!;

    /// <summary>A middleware around the service.</summary>
    public static async Task CountAsync(HttpContext context, RequestDelegate next)
    {
        var count = new CompressedMessages();
        context.Items[typeof(CompressedMessages)] = count;
        _current.Value = count;
        await next(context);
        if (!context.Response.Headers.ContainsKey("grpc-status"))
        {
            context.Response.AppendTrailer(Trailer, string.Create(CultureInfo.InvariantCulture, $"{count.Received} {count._sent}"));
        }
    }

    /// <summary>The library's own gzip.</summary>
    public sealed class Gzip : ICompressionProvider
    {
        private readonly GzipCompressionProvider _gzip = new(CompressionLevel.Fastest);

        public string EncodingName => _gzip.EncodingName;

        public Stream CreateCompressionStream(Stream stream, CompressionLevel? compressionLevel)
        {
            _current.Value!._sent++;
            return _gzip.CreateCompressionStream(stream, compressionLevel);
        }

        public Stream CreateDecompressionStream(Stream stream)
        {
            _current.Value!.Received++;
            return _gzip.CreateDecompressionStream(stream);
        }
    }
}
