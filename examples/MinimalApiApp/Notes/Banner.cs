using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace MinimalApiApp.Notes;

internal static class Banner
{
    /// <summary>Tells a person who just started one node what to do next.</summary>
    public static void PrintBannerWhenStarted(this WebApplication app) => app.Lifetime.ApplicationStarted.Register(() =>
    {
        var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses ?? [];
        if (addresses.FirstOrDefault() is not { } url)
        {
            return;
        }

        url = url.Replace("[::]", "localhost").Replace("0.0.0.0", "localhost").Replace("*", "localhost").Replace("+", "localhost");
        Console.WriteLine($$"""

            Notes are served at {{url}}   (kept in {{app.Services.GetRequiredService<NotesDatabase>().Sql.Name}})

              curl -i {{url}}/notes -H 'Content-Type: application/json' -d '{"text":"hello"}'
              curl {{url}}/notes

            Three nodes with a leader:  dotnet run --project examples/MinimalApiApp -- cluster

            """);
    });
}
