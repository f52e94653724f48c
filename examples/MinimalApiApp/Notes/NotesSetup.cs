using System.Data.Common;
using Ha;

namespace MinimalApiApp.Notes;

internal static class NotesSetup
{
    private static readonly string[] _nodeKeys = ["BASE_LOCAL_TARGET", "BASE_PEERS", "BASE_STATIC_LEADER"];

    /// <summary>
    /// Opens the database that <c>ConnectionStrings:Notes</c> names, a file beside the application when it names none, and
    /// creates the tables that are missing.
    /// </summary>
    /// <exception cref="InvalidOperationException">It cannot be used, or the nodes of a cluster would have a file each.</exception>
    public static async Task<SqlDialect> AddNotesAsync(this WebApplicationBuilder builder, TimeProvider clock)
    {
        var sql = SqlDialect.Of(builder.Configuration.GetConnectionString("Notes")
            ?? $"Data Source={Path.Combine(builder.Environment.ContentRootPath, FileName(builder.Configuration))}",
            builder.Configuration.GetConnectionString("NotesReplica"));
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

    private static string FileName(ConfigurationManager configuration)
    {
        // As Ha reads them: an empty value is none, and a list may be an array. What is no URL stops the start later.
        var nodes = _nodeKeys.Select(configuration.GetSection)
            .SelectMany(key => key.GetChildren().Append(key)).SelectMany(entry => entry.Value?.Split(',') ?? [])
            .Select(url => Uri.TryCreate(url.Trim(), UriKind.Absolute, out var node) ? node : null).OfType<Uri>().ToHashSet();
        var othersMayJoin = !string.IsNullOrWhiteSpace(configuration["BASE_LEASE_STORE"]);
        if ((othersMayJoin || nodes.Count > 1) && nodes.Any(node => !node.IsLoopback))
        {
            throw new InvalidOperationException(
                "ConnectionStrings__Notes is not set: each node would keep notes in a file of its own, and the next leader would not have them. "
                + "Name one database for all nodes, PostgreSQL (Host=…) or a file that they share (Data Source=…).");
        }

        // A cluster's fence shuts out what has no epoch, a single node and a static leader: they have a file of their own.
        var hasEpochs = string.IsNullOrWhiteSpace(configuration["BASE_STATIC_LEADER"]) && (othersMayJoin || nodes.Count > 0);
        return hasEpochs ? "notes-cluster.db" : "notes.db";
    }
}
