using Ha.Tests.Support;

namespace Ha.Tests.Example;

/// <summary>Where the example keeps notes without <c>ConnectionStrings:Notes</c>.</summary>
[Collection(DatabaseTests.Name)]
public sealed class DefaultDatabaseTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("notes-test-");

    public void Dispose()
    {
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("")]
    [InlineData("BASE_PEERS= BASE_LOCAL_TARGET=")]
    [InlineData("BASE_STATIC_LEADER=http://127.0.0.1:1")]
    [InlineData("BASE_STATIC_LEADER=http://10.0.0.1:8080 BASE_LOCAL_TARGET=http://10.0.0.1:8080")]
    public async Task Who_writes_without_an_epoch_has_a_file_of_its_own(string settings) => Assert.Equal("notes.db", await FileOfAsync(settings));

    [Theory]
    [InlineData("BASE_LOCAL_TARGET=http://10.0.0.1:8080")]
    [InlineData("BASE_LOCAL_TARGET=http://10.0.0.1:8080 BASE_PEERS=http://10.0.0.1:8080/")]
    [InlineData("BASE_LOCAL_TARGET=http://127.0.0.1:1 BASE_PEERS=http://127.0.0.1:1,http://localhost:2,http://[::1]:3")]
    [InlineData("BASE_PEERS:0=http://127.0.0.1:1 BASE_PEERS:1=http://127.0.0.1:2")]
    [InlineData("BASE_LOCAL_TARGET=http://127.0.0.1:1 BASE_LEASE_STORE=redis:127.0.0.1")]
    public async Task One_node_or_some_on_one_machine_share_the_clusters_file(string settings) =>
        Assert.Equal("notes-cluster.db", await FileOfAsync(settings));

    [Theory]
    [InlineData("BASE_LOCAL_TARGET=http://10.0.0.1:8080 BASE_PEERS=http://10.0.0.2:8080")]
    [InlineData("BASE_LOCAL_TARGET=http://10.0.0.1:8080 BASE_PEERS:0=http://10.0.0.1:8080 BASE_PEERS:1=http://10.0.0.2:8080")]
    [InlineData("BASE_LOCAL_TARGET=http://10.0.0.1:8080 BASE_LEASE_STORE=redis:10.0.0.9")]
    [InlineData("BASE_LOCAL_TARGET=http://127.0.0.1:1 BASE_STATIC_LEADER=http://10.0.0.1:8080")]
    public async Task Nodes_on_several_machines_do_not_start_with_a_file_each(string settings)
    {
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => FileOfAsync(settings));
        Assert.StartsWith("ConnectionStrings__Notes is not set", refused.Message, StringComparison.Ordinal);
        Assert.Equal("named.db", await FileOfAsync($"{settings} ConnectionStrings:Notes=Filename={_folder.FullName}/named.db"));
    }

    private async Task<string> FileOfAsync(string settings)
    {
        string[] args = ["--contentRoot", _folder.FullName, .. settings.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(setting => $"--{setting}")];
        await using var app = await MinimalApiApp.Program.BuildAsync(args);
        return Assert.Single(_folder.GetFiles("*.db")).Name;
    }
}
