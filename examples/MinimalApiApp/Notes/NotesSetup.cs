using System.Data.Common;
using Ha;

namespace MinimalApiApp.Notes;

internal static class NotesSetup
{
    /// <summary>
    /// Opens the database that <c>ConnectionStrings:Notes</c> names, a file beside the application when it names none, and
    /// creates the tables that are missing.
    /// </summary>
    public static async Task<SqlDialect> AddNotesAsync(this WebApplicationBuilder builder, TimeProvider clock)
    {
        // A cluster's fence shuts out a node without epochs, so a single node has a file of its own.
        var file = builder.Configuration["BASE_PEERS"] is null ? "notes.db" : "notes-cluster.db";
        var sql = SqlDialect.Of(builder.Configuration.GetConnectionString("Notes")
            ?? $"Data Source={Path.Combine(builder.Environment.ContentRootPath, file)}");
        try
        {
            await NotesSchema.CreateAsync(sql, CancellationToken.None);
        }
        catch (DbException e)
        {
            throw new InvalidOperationException($"The {sql.Name} database in ConnectionStrings__Notes cannot be used: {e.Message}", e);
        }

        builder.Services.AddSingleton(services => new NotesDatabase(sql, services.GetRequiredService<ILeaderProvider>()));
        builder.Services.AddSingleton(clock);
        builder.Services.AddSingleton<IdempotentWrites>();
        builder.Services.AddProblemDetails();
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, NotesJson.Default));
        return sql;
    }
}
