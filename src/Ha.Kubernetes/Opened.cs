namespace Ha.Kubernetes;

/// <summary>A sequence whose first step was made already.</summary>
internal sealed class Opened<T>(IAsyncEnumerator<T> rest, bool hasFirst) : IAsyncEnumerator<T>
{
    private bool _started;

    public T Current => rest.Current;

    public ValueTask<bool> MoveNextAsync()
    {
        if (_started)
        {
            return hasFirst ? rest.MoveNextAsync() : ValueTask.FromResult(false);
        }

        _started = true;
        return ValueTask.FromResult(hasFirst);
    }

    public ValueTask DisposeAsync() => rest.DisposeAsync();
}
