namespace Ha.Leadership;

/// <summary>
/// One admitted write, or another piece of work under a leadership, which is shared by many. Remembers whether anything of it was
/// committed: then nobody may say any more that nothing was executed. Thread-safe.
/// </summary>
/// <param name="leadership">What it runs under.</param>
/// <param name="outer">The work that it is a part of, if any.</param>
internal sealed class AdmittedScope(IHaFeature leadership, AdmittedScope? outer)
{
    private volatile bool _hasCommitted;

    public IHaFeature Leadership => leadership;

    /// <summary>True when a fenced transaction of it was committed, or perhaps was.</summary>
    public bool HasCommitted => _hasCommitted;

    /// <summary>A transaction was committed, or perhaps was.</summary>
    public void NoteCommit()
    {
        for (var scope = this; scope is not null; scope = scope.Outer)
        {
            scope._hasCommitted = true;
        }
    }

    private AdmittedScope? Outer => outer;
}
