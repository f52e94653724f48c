namespace Ha.Testing;

/// <summary>A store does not do what <see cref="ILeaseStore"/> promises.</summary>
public sealed class LeaseStoreConformanceException : Exception
{
    internal LeaseStoreConformanceException(string check, string fault, Exception? inner = null)
        : base($"{check}: {fault}", inner) => Check = check;

    /// <summary>One of <see cref="LeaseStoreConformance.CheckNames"/>.</summary>
    public string Check { get; }
}
