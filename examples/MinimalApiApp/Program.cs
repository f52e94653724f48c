using MinimalApiApp.Notes;

namespace MinimalApiApp;

public static class Program
{
    public static async Task Main(string[] args)
    {
        await using var app = await BuildAsync(args);
        await app.RunAsync();
    }

    public static async Task<WebApplication> BuildAsync(string[] args, TimeProvider? clock = null)
    {
        var builder = WebApplication.CreateBuilder(args);
        var sql = await builder.AddNotesAsync(clock ?? TimeProvider.System);

        // AddHa() alone is enough. The first hook makes epochs rise even if the nodes' clocks disagree, the second spares the
        // first writes after a failover what runs for the first time; the others let a database elect, where BASE_LEASE_STORE says so.
        builder.Services.AddHa(options =>
        {
            options.RaiseFence = (epoch, stop) => sql.Fence.RaiseAsync(sql.Source, epoch, stop);
            options.WarmUp += WarmUp.RunAsync;
            options.UsePostgreSql();
            options.UseRedis();

            // Nodes that read from a hot standby (ConnectionStrings__NotesReplica) wait for the writes that a client has seen.
            if (sql.Replica is not null)
            {
                options.UsePostgreSqlReplicas("Notes", "NotesReplica", reads => reads.CookieLifetime = TimeSpan.FromMinutes(1));
            }
        });
        builder.Services.AddHostedService<HeartbeatJob>();

        var app = builder.Build();
        // A request that cannot be read keeps its own status: 413 for a body that is too large.
        app.UseExceptionHandler(new ExceptionHandlerOptions { StatusCodeSelector = e => (e as BadHttpRequestException)?.StatusCode ?? 500 });
        app.UseStatusCodePages();

        // Here, where routing has run, the endpoints' own words count: POST /notes/search is for any node.
        app.UseHa();
        app.MapHomePage();
        app.MapNotes();
        app.MapUploads();
        return app;
    }
}
