using System.Data.Common;

namespace MinimalApiApp.Notes;

internal static class NotesSetup
{
    /// <summary>
    /// Opens the database that <c>ConnectionStrings:Notes</c> names, a file beside the application when it names none, and
    /// creates the tables that are missing.
    /// </summary>
    public static async Task<NotesDatabase> AddNotesAsync(this WebApplicationBuilder builder, TimeProvider clock)
    {
        // A cluster's fence shuts out a node without epochs, so a single node has a file of its own.
        var file = builder.Configuration["BASE_PEERS"] is null ? "notes.db" : "notes-cluster.db";
        var database = NotesDatabase.Open(builder.Configuration.GetConnectionString("Notes")
            ?? $"Data Source={Path.Combine(builder.Environment.ContentRootPath, file)}");
        try
        {
            await NotesSchema.CreateAsync(database, CancellationToken.None);
        }
        catch (DbException e)
        {
            throw new InvalidOperationException($"The {database.Sql.Name} database in ConnectionStrings__Notes cannot be used: {e.Message}", e);
        }

        // The factory makes the container dispose it.
        builder.Services.AddSingleton(_ => database);
        builder.Services.AddSingleton(clock);
        builder.Services.AddSingleton<IdempotentWrites>();
        builder.Services.AddProblemDetails();
        return database;
    }
}
