namespace Ha.Outside.Tests.Support;

/// <summary>A database of its own for one test, gone with it.</summary>
internal sealed class TempDatabase : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("ha-outside-").FullName;

    public string ConnectionString => $"Data Source={Path.Combine(_folder, "orders.db")};Pooling=False";

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
