using MinimalApiApp.Cluster;

namespace MinimalApiApp.Notes;

internal static class NotesSetup
{
    /// <summary>
    /// Opens the database that <c>ConnectionStrings:Notes</c> names, <c>notes.db</c> beside the application when it names
    /// none, and creates the tables that are missing.
    /// </summary>
    public static async Task<NotesDatabase> AddNotesAsync(this WebApplicationBuilder builder)
    {
        ParentGuard.DieWithCluster(builder.Configuration);
        var database = NotesDatabase.Open(builder.Configuration.GetConnectionString("Notes")
            ?? $"Data Source={Path.Combine(builder.Environment.ContentRootPath, "notes.db")}");
        await NotesSchema.CreateAsync(database, CancellationToken.None);
        // The factory makes the container dispose it.
        builder.Services.AddSingleton(_ => database);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<IdempotentWrites>();
        builder.Services.AddHostedService<Banner>();
        builder.Services.AddProblemDetails();
        return database;
    }
}
