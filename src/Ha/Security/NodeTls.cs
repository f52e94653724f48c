using System.Net.Security;
using Ha.Configuration;
using Ha.Telemetry;

namespace Ha.Security;

/// <summary>
/// How this node checks the members it calls over <c>https</c> and shows itself to them. Certificates are renewed while
/// processes run, so the files are watched; what cannot be used leaves everything as it was. Thread-safe.
/// </summary>
internal sealed class NodeTls : IDisposable
{
    private readonly HaOptions _options;
    private readonly ElectionTelemetry _telemetry;
    private readonly string[] _paths;
    private readonly CancellationTokenSource _stopping = new();
    private TlsMaterial _current;

    /// <param name="options">Validated.</param>
    /// <param name="telemetry">Told when files were read again, or could not be.</param>
    /// <param name="clock">Times the looks at the files.</param>
    /// <exception cref="InvalidHaOptionsException">A file cannot be used.</exception>
    public NodeTls(HaOptions options, ElectionTelemetry telemetry, TimeProvider clock)
    {
        _options = options;
        _telemetry = telemetry;
        _paths = TlsMaterial.Paths(options);
        var problems = new List<string>();
        _current = TlsMaterial.Load(options, SecretText.Read, problems) ?? throw new InvalidHaOptionsException(problems);
        telemetry.TlsInUse(_current.ExpiresAt);
        FileWatch.Start(_paths, clock, Reload, _stopping.Token);
    }

    public TlsMaterial Current => Volatile.Read(ref _current);

    /// <summary>A handler made by <paramref name="create"/>, and made anew whenever the files have changed.</summary>
    public HttpMessageHandler CreateHandler(Func<SslClientAuthenticationOptions, HttpMessageHandler> create) =>
        _paths.Length == 0 ? create(Current.ToOptions()) : new RenewedHandler(this, create);

    public void Dispose() => _stopping.Cancel();

    private void Reload(SecretText[] texts)
    {
        var problems = new List<string>();
        var read = TlsMaterial.Load(_options, path => texts[Array.IndexOf(_paths, path)], problems);
        if (read is null)
        {
            _telemetry.TlsRefused(problems);
        }
        else if (!read.IsSameAs(Current))
        {
            Volatile.Write(ref _current, read);
            _telemetry.TlsRenewed();
            _telemetry.TlsInUse(read.ExpiresAt);
        }
    }
}
