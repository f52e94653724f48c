using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Compression;
using Ha.Tests.Support;

namespace Ha.Tests.GrpcInterop;

/// <summary>The cases with Grpc.Net.Client as anybody has it, with nothing of ours.</summary>
internal sealed class DotNetClient : IDisposable
{
    public const string Special = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001F608\t\n";

    private const string Message = "test status message";
    private const string InitialKey = "x-grpc-test-echo-initial";
    private const string TrailingKey = "x-grpc-test-echo-trailing-bin";
    private const int Streams = 150;

    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(1);
    private static readonly int[] _sizes = [31415, 9, 2653, 58979];
    private static readonly int[] _payloads = [27182, 8, 1828, 45904];

    private readonly GrpcChannel _channel;
    private readonly TestService.TestServiceClient _client;
    private readonly UnimplementedService.UnimplementedServiceClient _nobody;

    /// <param name="port">On this machine.</param>
    /// <param name="name">The server's, for its certificate and as the authority.</param>
    /// <param name="trusted">Who vouches for the certificate.</param>
    public DotNetClient(int port, string name, X509Certificate2 trusted)
    {
        _channel = GrpcChannel.ForAddress($"https://{name}:{port}", new GrpcChannelOptions
        {
            MaxReceiveMessageSize = null,
            CompressionProviders = [new GzipCompressionProvider(CompressionLevel.Fastest)],
            DisposeHttpClient = true,
            HttpHandler = new SocketsHttpHandler
            {
                UseProxy = false,
                SslOptions = { CertificateChainPolicy = TestAuthority.Policy(trusted) },
                ConnectCallback = async (_, cancellation) =>
                {
                    var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                    await socket.ConnectAsync(IPAddress.Loopback, port, cancellation);
                    return new NetworkStream(socket, ownsSocket: true);
                },
            },
        });
        _client = new TestService.TestServiceClient(_channel);
        _nobody = new UnimplementedService.UnimplementedServiceClient(_channel);
    }

    private static CallOptions Patient => new(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + _patience);

    /// <returns>What the other clients print.</returns>
    public async Task<string> RunAsync()
    {
        (string Name, Func<Task<string>> Run)[] cases =
        [
            ("empty_unary", async () => $"OK {(await _client.EmptyCallAsync(new Empty(), Patient)).CalculateSize()}"),
            ("large_unary", async () => $"OK {(await _client.UnaryCallAsync(Large(), Patient)).Payload.Body.Length}"),
            ("huge_unary", HugeUnaryAsync),
            ("client_streaming", ClientStreamingAsync),
            ("server_streaming", ServerStreamingAsync),
            ("ping_pong", PingPongAsync),
            ("empty_stream", EmptyStreamAsync),
            ("cancel_after_begin", CancelAfterBeginAsync),
            ("cancel_after_first_response", CancelAfterFirstResponseAsync),
            ("timeout_on_sleeping_server", TimeoutAsync),
            ("status_code_and_message", StatusAsync),
            ("special_status_message", SpecialStatusAsync),
            ("custom_metadata", CustomMetadataAsync),
            ("unimplemented_method", async () => Code(await EndAsync(() => _client.UnimplementedCallAsync(new Empty(), Patient).ResponseAsync))),
            ("unimplemented_service", async () => Code(await EndAsync(() => _nobody.UnimplementedCallAsync(new Empty(), Patient).ResponseAsync))),
            ("client_compressed_unary", ClientCompressedAsync),
            ("server_compressed_unary", ServerCompressedAsync),
            ("many_streams", ManyStreamsAsync),
        ];
        var lines = new List<string>();
        foreach (var (name, run) in cases)
        {
            lines.Add($"{name} {await run().WaitAsync(_patience)}");
        }

        return string.Join('\n', lines);
    }

    public void Dispose() => _channel.Dispose();

    private static SimpleRequest Large() => new() { ResponseSize = 314159, Payload = Zeros(271828) };

    private static Payload Zeros(int size) => new() { Body = ByteString.CopyFrom(new byte[size]) };

    private static StreamingOutputCallRequest Output(int answer, int payload, int pauseMicroseconds = 0) => new()
    {
        ResponseParameters = { new ResponseParameters { Size = answer, IntervalUs = pauseMicroseconds } },
        Payload = Zeros(payload),
    };

    private static EchoStatus Failing(string message) => new() { Code = (int)StatusCode.Unknown, Message = message };

    private static async Task<List<int>> RestAsync(IAsyncStreamReader<StreamingOutputCallResponse> answers)
    {
        var sizes = new List<int>();
        await foreach (var answer in answers.ReadAllAsync())
        {
            sizes.Add(answer.Payload.Body.Length);
        }

        return sizes;
    }

    private static async Task<Status> EndAsync(Func<Task> call)
    {
        try
        {
            await call();
            return Status.DefaultSuccess;
        }
        catch (RpcException failure)
        {
            return failure.Status;
        }
    }

    private static string Code(Status status) => status.StatusCode switch
    {
        StatusCode.OK => "OK",
        StatusCode.Cancelled => "CANCELLED",
        StatusCode.Unknown => "UNKNOWN",
        StatusCode.InvalidArgument => "INVALID_ARGUMENT",
        StatusCode.DeadlineExceeded => "DEADLINE_EXCEEDED",
        StatusCode.Unimplemented => "UNIMPLEMENTED",
        _ => $"{status}",
    };

    private static string Code<T>(AsyncDuplexStreamingCall<T, StreamingOutputCallResponse> call) => Code(call.GetStatus());

    private static string Told(Status status) => $"{Code(status)} {status.Detail}";

    private async Task<string> HugeUnaryAsync()
    {
        const int Size = 6 * 1024 * 1024;
        var answer = await _client.UnaryCallAsync(new SimpleRequest { ResponseSize = Size, Payload = Zeros(Size) }, Patient);
        return $"OK {answer.Payload.Body.Length}";
    }

    private async Task<string> ClientStreamingAsync()
    {
        using var call = _client.StreamingInputCall(Patient);
        foreach (var size in _payloads)
        {
            await call.RequestStream.WriteAsync(new StreamingInputCallRequest { Payload = Zeros(size) });
        }

        await call.RequestStream.CompleteAsync();
        return $"OK {(await call).AggregatedPayloadSize}";
    }

    private async Task<string> ServerStreamingAsync()
    {
        var request = new StreamingOutputCallRequest { ResponseParameters = { _sizes.Select(size => new ResponseParameters { Size = size }) } };
        using var call = _client.StreamingOutputCall(request, Patient);
        return $"OK {string.Join(' ', await RestAsync(call.ResponseStream))}";
    }

    private async Task<string> PingPongAsync()
    {
        using var call = _client.FullDuplexCall(Patient);
        var answers = new List<int>();
        foreach (var (answer, payload) in _sizes.Zip(_payloads))
        {
            await call.RequestStream.WriteAsync(Output(answer, payload));
            Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
            answers.Add(call.ResponseStream.Current.Payload.Body.Length);
        }

        await call.RequestStream.CompleteAsync();
        Assert.False(await call.ResponseStream.MoveNext(CancellationToken.None));
        return $"{Code(call)} {string.Join(' ', answers)}";
    }

    private async Task<string> EmptyStreamAsync()
    {
        using var call = _client.FullDuplexCall(Patient);
        await call.RequestStream.CompleteAsync();
        var answers = await RestAsync(call.ResponseStream);
        return string.Join(' ', [Code(call), .. answers]);
    }

    private async Task<string> CancelAfterBeginAsync()
    {
        using var cancel = new CancellationTokenSource();
        using var call = _client.StreamingInputCall(Patient.WithCancellationToken(cancel.Token));
        await cancel.CancelAsync();
        return Code(await EndAsync(() => call.ResponseAsync));
    }

    private async Task<string> CancelAfterFirstResponseAsync()
    {
        using var cancel = new CancellationTokenSource();
        using var call = _client.FullDuplexCall(Patient.WithCancellationToken(cancel.Token));
        await call.RequestStream.WriteAsync(Output(31415, 27182));
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        var first = call.ResponseStream.Current.Payload.Body.Length;
        await cancel.CancelAsync();
        return $"{Code(await EndAsync(() => call.ResponseStream.MoveNext(CancellationToken.None)))} {first}";
    }

    private async Task<string> TimeoutAsync()
    {
        using var call = _client.FullDuplexCall(new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddMilliseconds(200)));
        return Code(await EndAsync(async () =>
        {
            await call.RequestStream.WriteAsync(Output(1, 27182, pauseMicroseconds: 60_000_000));
            await call.ResponseStream.MoveNext(CancellationToken.None);
        }));
    }

    private async Task<string> StatusAsync()
    {
        var unary = await EndAsync(() => _client.UnaryCallAsync(new SimpleRequest { ResponseStatus = Failing(Message) }, Patient).ResponseAsync);
        using var call = _client.FullDuplexCall(Patient);
        await call.RequestStream.WriteAsync(new StreamingOutputCallRequest { ResponseStatus = Failing(Message) });
        await call.RequestStream.CompleteAsync();
        return $"{Told(unary)}; {Told(await EndAsync(() => RestAsync(call.ResponseStream)))}";
    }

    private async Task<string> SpecialStatusAsync()
    {
        var status = await EndAsync(() => _client.UnaryCallAsync(new SimpleRequest { ResponseStatus = Failing(Special) }, Patient).ResponseAsync);
        return $"{Code(status)} {Convert.ToHexStringLower(Encoding.UTF8.GetBytes(status.Detail))}";
    }

    private async Task<string> CustomMetadataAsync()
    {
        var options = Patient.WithHeaders([new(InitialKey, "test_initial_metadata_value"), new(TrailingKey, [0xab, 0xab, 0xab])]);
        using var unary = _client.UnaryCallAsync(Large(), options);
        await unary;
        using var call = _client.FullDuplexCall(options);
        await call.RequestStream.WriteAsync(Output(314159, 271828));
        await call.RequestStream.CompleteAsync();
        await RestAsync(call.ResponseStream);
        return $"{Echoed(await unary.ResponseHeadersAsync, unary.GetTrailers())}; {Echoed(await call.ResponseHeadersAsync, call.GetTrailers())}";

        static string Echoed(Metadata initial, Metadata trailing) =>
            $"{initial.GetValue(InitialKey)} {Convert.ToHexStringLower(trailing.GetValueBytes(TrailingKey)!)}";
    }

    private async Task<string> ClientCompressedAsync()
    {
        var expected = Large();
        expected.ExpectCompressed = new BoolValue { Value = true };
        var refused = await EndAsync(() => _client.UnaryCallAsync(expected, Patient).ResponseAsync);
        var gzip = Patient.WithHeaders([new("grpc-internal-encoding-request", "gzip")]);
        var plain = Large();
        plain.ExpectCompressed = new BoolValue();
        return $"{Code(refused)}; {await CompressedAsync(expected, gzip, 0)}; {await CompressedAsync(plain, Patient, 0)}";
    }

    private async Task<string> ServerCompressedAsync()
    {
        var compressed = Large();
        compressed.ResponseCompressed = new BoolValue { Value = true };
        var plain = Large();
        plain.ResponseCompressed = new BoolValue();
        return $"{await CompressedAsync(compressed, Patient, 1)}; {await CompressedAsync(plain, Patient, 1)}";
    }

    private async Task<string> CompressedAsync(SimpleRequest request, CallOptions options, int way)
    {
        using var call = _client.UnaryCallAsync(request, options);
        var answer = await call;
        var counts = call.GetTrailers().GetValue("interop-compressed")!.Split(' ');
        return string.Create(CultureInfo.InvariantCulture, $"OK {answer.Payload.Body.Length} {counts[way]}");
    }

    private async Task<string> ManyStreamsAsync()
    {
        var calls = Enumerable.Range(0, Streams).Select(_ => _client.FullDuplexCall(Patient)).ToArray();
        try
        {
            await Task.WhenAll(calls.Select(call => call.RequestStream.WriteAsync(Output(9, 8))));
            var answered = await Task.WhenAll(calls.Select(call => call.ResponseStream.MoveNext(CancellationToken.None)));
            await Task.WhenAll(calls.Select(call => call.RequestStream.CompleteAsync()));
            await Task.WhenAll(calls.Select(call => RestAsync(call.ResponseStream)));
            return $"{string.Join(' ', calls.Select(Code).Distinct(StringComparer.Ordinal))} {answered.Count(there => there)}";
        }
        finally
        {
            Array.ForEach(calls, call => call.Dispose());
        }
    }
}
