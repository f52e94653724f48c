using System.Text;
using BenchmarkDotNet.Attributes;

namespace Ha.Benchmarks.Micro;

/// <summary>
/// A request through Kestrel and the pipeline, without sockets: reads and writes on the leader, with and without the
/// plugin. The difference to <see cref="Plugin.None"/> is its price.
/// </summary>
[MemoryDiagnoser]
public class PassThroughBenchmarks
{
    private const int Batch = 64;

    private MicroApp _app = null!;
    private byte[] _reads = [];
    private byte[] _writes = [];
    private int _readAnswers;
    private int _writeAnswers;

    [ParamsAllValues]
    public Plugin Plugin { get; set; }

    [GlobalSetup]
    public async Task SetupAsync()
    {
        var read = "GET /notes HTTP/1.1\r\nHost: node-1\r\n\r\n"u8.ToArray();
        var write = "POST /notes HTTP/1.1\r\nHost: node-1\r\nContent-Length: 0\r\n\r\n"u8.ToArray();
        _app = await MicroApp.StartAsync(Plugin);
        _readAnswers = Batch * await _app.AnswerLengthAsync(read);
        _writeAnswers = Batch * await _app.AnswerLengthAsync(write);
        _reads = Repeat(read);
        _writes = Repeat(write);
    }

    [GlobalCleanup]
    public ValueTask CleanupAsync() => _app.DisposeAsync();

    [Benchmark(OperationsPerInvoke = Batch)]
    public ValueTask Read() => _app.ExchangeAsync(_reads, _readAnswers);

    [Benchmark(OperationsPerInvoke = Batch)]
    public ValueTask Write() => _app.ExchangeAsync(_writes, _writeAnswers);

    private static byte[] Repeat(byte[] request) =>
        Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(Encoding.ASCII.GetString(request), Batch)));
}
