using System.Data.Common;
using MinimalApiApp.Cluster;

namespace MinimalApiApp.Notes;

internal static class NotesSetup
{
    /// <summary>
    /// Opens the database that <c>ConnectionStrings:Notes</c> names, <c>notes.db</c> beside the application when it names
    /// none, and creates the tables that are missing.
    /// </summary>
    public static async Task<NotesDatabase> AddNotesAsync(this WebApplicationBuilder builder, TimeProvider clock)
    {
        ParentGuard.DieWithCluster(builder.Configuration);
        var database = NotesDatabase.Open(builder.Configuration.GetConnectionString("Notes")
            ?? $"Data Source={Path.Combine(builder.Environment.ContentRootPath, "notes.db")}");
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
        builder.Services.AddHostedService<Banner>();
        builder.Services.AddProblemDetails();
        return database;
    }
}
