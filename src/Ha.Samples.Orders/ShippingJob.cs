using Ha;
using Microsoft.EntityFrameworkCore;

namespace Orders;

/// <summary>A job that must run once in the whole cluster: sends what was ordered.</summary>
internal sealed class ShippingJob(IServiceScopeFactory scopes, ILeaderProvider leader, ILogger<ShippingJob> logger)
    : LeaderBackgroundService(leader, logger)
{
    private const int AtOnce = 100;
    private static readonly TimeSpan _every = TimeSpan.FromMilliseconds(500);

    protected override async Task ExecuteAsLeaderAsync(LeadershipSnapshot leadership, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(_every);
        do
        {
            await ShipAsync(leadership.Epoch, cancellationToken);
        }
        while (await timer.WaitForNextTickAsync(cancellationToken));
    }

    private async Task ShipAsync(long epoch, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var shop = scope.ServiceProvider.GetRequiredService<ShopContext>();
        var waiting = await shop.Orders.Where(order => order.Shipment == null).OrderBy(order => order.Id)
            .Select(order => order.Id).Take(AtOnce).ToListAsync(cancellationToken);
        shop.AddRange(waiting.Select(id => new Shipment { OrderId = id, Epoch = epoch }));
        await shop.SaveChangesAsync(cancellationToken);
    }
}
