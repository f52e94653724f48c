namespace Ha.Security;

/// <summary>Something immutable that is made of files.</summary>
internal interface IFileContent<in T>
{
    /// <summary>True when <paramref name="other"/> does the same, so that there is no need to change to it.</summary>
    bool IsSameAs(T other);
}
