using Ha.Outside.Tests.Support;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shop;

namespace Ha.Outside.Tests.Shop;

/// <summary>The application as it is, with its own Program.cs; only who leads, the database and the store-house are the test's.</summary>
internal sealed class ShopApp(ILeaderProvider leadership, TempDatabase database) : WebApplicationFactory<Program>, IStock
{
    private readonly TaskCompletionSource _began = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What happens in the middle of an order: after its row was written, before it is committed.</summary>
    public Func<Task> OnTake { get; set; } = () => Task.CompletedTask;

    /// <summary>The first order has come so far.</summary>
    public Task OrderBegan => _began.Task;

    public OrderBook Book => Services.GetRequiredService<OrderBook>();

    /// <summary>A client that shows a redirect instead of following it.</summary>
    public HttpClient Client() => CreateClient(new WebApplicationFactoryClientOptions { AllowAutoRedirect = false });

    /// <summary>The first order has begun, and its handler is at its end: committed or refused.</summary>
    public async Task OrderEndedAsync()
    {
        await OrderBegan;
        await leadership.Control!.Gate.WhenEmptyAsync();
    }

    Task IStock.TakeAsync(string item)
    {
        _began.TrySetResult();
        return OnTake();
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder) => builder
        .UseSetting("ConnectionStrings:Orders", database.ConnectionString)
        .UseSetting("hostBuilder:reloadConfigOnChange", "false")

        // As on the machines where it runs, and nothing of it holds here: a member without a key would not even start.
        .UseSetting("BASE_LOCAL_TARGET", "http://10.0.0.1:8080")
        .UseSetting("BASE_PEERS", "http://10.0.0.1:8080,http://10.0.0.2:8080,http://10.0.0.3:8080")
        .ConfigureLogging(logging => logging.ClearProviders())
        .ConfigureTestServices(services => services
            .AddTestLeadership(leadership)
            .AddSingleton<IStock>(this));
}
