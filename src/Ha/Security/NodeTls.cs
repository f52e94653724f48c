using System.Net.Security;

namespace Ha.Security;

/// <summary>
/// How this node checks the members it calls over <c>https</c> and shows itself to them. Certificates are renewed while
/// processes run, so the files are watched; what cannot be used leaves everything as it was. Thread-safe.
/// </summary>
internal sealed class NodeTls : IDisposable
{
    private readonly bool _changes;
    private readonly CancellationTokenSource _stopping = new();
    private TlsMaterial _current;

    /// <param name="files">What to begin with, and what to look at.</param>
    /// <param name="clock">Times the looks at the files.</param>
    /// <param name="inUse">Told when this node's certificate ends, null where it has none, and whether it was read anew.</param>
    /// <param name="refused">Told why changed files could not be used.</param>
    public NodeTls(
        FileBacked<TlsMaterial> files, TimeProvider clock, Action<DateTimeOffset?, bool> inUse, Action<IReadOnlyList<string>> refused)
    {
        _changes = files.HasFiles;
        _current = files.AtStart;
        inUse(_current.ExpiresAt, false);
        files.Watch(clock, Renew, refused, _stopping.Token);

        void Renew(TlsMaterial read)
        {
            Volatile.Write(ref _current, read);
            inUse(read.ExpiresAt, true);
        }
    }

    public TlsMaterial Current => Volatile.Read(ref _current);

    /// <summary>A handler made by <paramref name="create"/>, and made anew whenever the files have changed.</summary>
    public HttpMessageHandler CreateHandler(Func<SslClientAuthenticationOptions, HttpMessageHandler> create) =>
        _changes ? new RenewedHandler(() => Current, () => create(Current.ToOptions())) : create(Current.ToOptions());

    public void Dispose() => _stopping.Cancel();
}
