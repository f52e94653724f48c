using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace MinimalApiApp.Notes;

/// <summary>Tells a person who just started one node what to do next.</summary>
internal sealed class Banner(IServer server, NotesDatabase database) : IHostedLifecycleService
{
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        var addresses = server.Features.Get<IServerAddressesFeature>()?.Addresses ?? [];
        if (addresses.FirstOrDefault() is { } url)
        {
            Print(url.Replace("[::]", "localhost").Replace("0.0.0.0", "localhost").Replace("*", "localhost").Replace("+", "localhost"));
        }

        return Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void Print(string url) => Console.WriteLine($$"""

        Notes are served at {{url}}   (kept in {{database.Sql.Name}})

          curl -i {{url}}/notes -H 'Content-Type: application/json' -d '{"text":"hello"}'
          curl {{url}}/notes

        Three nodes with a leader:  dotnet run --project examples/MinimalApiApp -- cluster
        Ctrl-C stops this one.

        """);
}
