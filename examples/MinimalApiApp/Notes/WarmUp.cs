using System.Text;
using Ha;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace MinimalApiApp.Notes;

/// <summary>
/// Takes a note before this node may lead, so that the first one after a failover finds all code compiled or read. The database that
/// the nodes share is only read: another node may be writing to it as the leader. The note goes into one in memory.
/// </summary>
internal static class WarmUp
{
    public static async Task RunAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        await SearchAsync(services, cancellationToken);
        await ReadInTransactionAsync(services.GetRequiredService<NotesDatabase>().Sql, cancellationToken);
        await AddAsync(services, cancellationToken);
    }

    /// <summary>The server, middlewares, routing, JSON and the driver: a POST that only reads, which any node answers.</summary>
    private static async Task SearchAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        using var client = new HttpClient { BaseAddress = new Uri(services.GetRequiredService<IOptions<HaOptions>>().Value.LocalTarget!) };

        // So the server waits for the body, which is code of its own.
        client.DefaultRequestHeaders.ExpectContinue = true;
        using var search = new StringContent("""{"text":"warm up","limit":1}""", Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync(new Uri("/notes/search", UriKind.Relative), search, cancellationToken);
        answer.EnsureSuccessStatusCode();
    }

    /// <summary>What a write on PostgreSQL has beside the statements. On SQLite a transaction locks the file, and the one in memory does.</summary>
    private static async Task ReadInTransactionAsync(SqlDialect sql, CancellationToken cancellationToken)
    {
        if (sql.IsOneFile)
        {
            return;
        }

        await using var connection = await sql.Source.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var read = connection.Command("SELECT @text, @epoch", ("text", "warm up"), ("epoch", 0L));
        read.Transaction = transaction;
        await read.QueryAsync(row => (row.GetString(0), row.GetInt64(1)), cancellationToken);
        await transaction.RollbackAsync(cancellationToken);
    }

    /// <summary>The endpoint, its answer and the fence, with services of its own, and in line as the writes that were held.</summary>
    private static async Task AddAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        var sql = SqlDialect.Of($"Data Source=warm-up-{Guid.NewGuid()};Mode=Memory;Cache=Shared;Pooling=False");
        await using var keepsIt = await sql.Source.OpenConnectionAsync(cancellationToken);
        await NotesSchema.CreateAsync(sql, cancellationToken);
        await using var own = new ServiceCollection()
            .AddSingleton<ILeaderProvider>(new StaticLeader("warm-up"))
            .AddSingleton(services.GetRequiredService<TimeProvider>())
            .AddSingleton(sql)
            .AddSingleton<NotesDatabase>()
            .AddSingleton<IdempotentWrites>()
            .BuildServiceProvider();
        await sql.Fence.RaiseAsync(sql.Source, epoch: 0, cancellationToken);
        var add = services.GetRequiredService<EndpointDataSource>().Endpoints
            .Single(endpoint => endpoint.Metadata.GetMetadata<IEndpointNameMetadata>()?.EndpointName == NotesEndpoints.Add);
        var inLine = new TaskCompletionSource();
        var ahead = own.GetRequiredService<NotesDatabase>().WriteAsync(
            async _ =>
            {
                await inLine.Task;
                return "";
            },
            cancellationToken);
        List<Task> notes = [AddAsync("", add, own, cancellationToken), AddAsync("new", add, own, cancellationToken), AddAsync("new", add, own, cancellationToken)];
        inLine.SetResult();
        await ahead;
        await Task.WhenAll(notes);
    }

    private static async Task AddAsync(string key, Endpoint add, IServiceProvider services, CancellationToken cancellationToken)
    {
        var http = new DefaultHttpContext { RequestServices = services, RequestAborted = cancellationToken };
        http.Features.Set<IHttpRequestBodyDetectionFeature>(new HasBody());
        http.Request.Method = HttpMethods.Post;
        http.Request.ContentType = "application/json";
        http.Request.Body = new MemoryStream("""{"text":"warm up"}"""u8.ToArray());
        if (key.Length > 0)
        {
            http.Request.Headers[IdempotencyKey.Header] = key;
        }

        await add.RequestDelegate!(http);
        if (http.Response.StatusCode != StatusCodes.Status201Created)
        {
            throw new InvalidOperationException($"A note in memory was answered {http.Response.StatusCode}.");
        }
    }

    private sealed class HasBody : IHttpRequestBodyDetectionFeature
    {
        public bool CanHaveBody => true;
    }
}
