using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;

namespace Ha.Tests.Example;

/// <summary>The example without HA, in this process, on a free port and a database of its own.</summary>
internal sealed class NotesApp : IAsyncDisposable
{
    private readonly WebApplication _app;

    private NotesApp(WebApplication app)
    {
        _app = app;
        Http = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
    }

    public HttpClient Http { get; }

    public IServiceProvider Services => _app.Services;

    public static Task<NotesApp> StartAsync(string connectionString, params string[] args) => StartAsync(TimeProvider.System, connectionString, args);

    public static async Task<NotesApp> StartAsync(TimeProvider clock, string connectionString, params string[] args)
    {
        var app = await MinimalApiApp.Program.BuildAsync(["--urls", "http://127.0.0.1:0", "--ConnectionStrings:Notes", connectionString, .. args], clock);
        await app.StartAsync();
        return new NotesApp(app);
    }

    public async Task<Reply> SendAsync(string method, string path, string? json = null, string? key = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (json is not null)
        {
            request.Content = new StringContent(json, Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        }

        if (key is not null)
        {
            request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        }

        using var answer = await Http.SendAsync(request);
        return new Reply((int)answer.StatusCode, answer.Content.Headers.ContentType?.MediaType ?? "", await answer.Content.ReadAsStringAsync(),
            answer.Headers.Concat(answer.Content.Headers).ToDictionary(h => h.Key, h => string.Join(',', h.Value), StringComparer.OrdinalIgnoreCase));
    }

    public Task<Reply> AddAsync(string text, string? key = null) => SendAsync("POST", "/notes", JsonSerializer.Serialize(new { text }), key);

    public async Task<JsonElement[]> NotesAsync(string query = "") => [.. (await SendAsync("GET", $"/notes{query}")).Json.EnumerateArray()];

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();

        // Without it nobody waits for the background job, which would open the database again that goes next.
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}

internal sealed record Reply(int Status, string MediaType, string Body, IReadOnlyDictionary<string, string> Headers)
{
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    public long Id => Json.GetProperty("id").GetInt64();
}

/// <summary>A database for one test, of the kind that the theory names.</summary>
internal sealed class TestDatabase : IDisposable
{
    private readonly DirectoryInfo? _directory;

    private TestDatabase(string connectionString, DirectoryInfo? directory) => (ConnectionString, _directory) = (connectionString, directory);

    public string ConnectionString { get; }

    /// <summary>The same for a test that is about waiting: the database itself refuses nobody in the meantime.</summary>
    public string PatientConnectionString => ConnectionString + (_directory is null ? ";Options=-c lock_timeout=60s" : ";Default Timeout=60");

    public static async Task<TestDatabase> NewAsync(string kind, PostgresServer postgres)
    {
        if (kind is "PostgreSQL")
        {
            return new TestDatabase(await postgres.NewDatabaseAsync(), null);
        }

        var directory = Directory.CreateTempSubdirectory("notes-test-");
        return new TestDatabase($"Data Source={Path.Combine(directory.FullName, "notes.db")}", directory);
    }

    public void Dispose()
    {
        if (_directory is not null)
        {
            Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
            _directory.Delete(recursive: true);
        }
    }
}
