using MinimalApiApp.Cluster;
using MinimalApiApp.Notes;

namespace MinimalApiApp;

public static class Program
{
    public static async Task<int> Main(string[] args)
    {
        if (args is ["cluster", .. var rest])
        {
            return await ClusterCommand.RunAsync(rest);
        }

        await using var app = await BuildAsync(args);
        await app.RunAsync();
        return 0;
    }

    public static async Task<WebApplication> BuildAsync(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        ParentGuard.DieWithCluster(builder.Configuration);
        var database = NotesDatabase.Open(builder.Configuration.GetConnectionString("Notes")
            ?? $"Data Source={Path.Combine(builder.Environment.ContentRootPath, "notes.db")}");
        await NotesSchema.CreateAsync(database, CancellationToken.None);
        builder.Services.AddSingleton(database).AddSingleton(TimeProvider.System).AddSingleton<IdempotentWrites>().AddProblemDetails();

        var app = builder.Build();
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.MapHomePage();
        app.MapNotes();
        app.MapUploads();
        app.PrintBannerWhenStarted();
        return app;
    }
}
