using Microsoft.EntityFrameworkCore;
using Orders;

namespace Ha.Tests.Orders;

/// <summary>What the shop's database says at the end.</summary>
internal sealed record Books(
    IReadOnlyList<(string Customer, long Epoch)> Orders, IReadOnlyList<long> ShippedInEpochs, int Unshipped, int StockLeft, int Sold)
{
    /// <summary>All that there was at first.</summary>
    public const int Stock = 20 * 1_000_000;

    public static async Task<Books> ReadAsync(ShopContext shop)
    {
        var orders = await shop.Orders.AsNoTracking().OrderBy(order => order.Id).Select(order => new { order.Customer, order.Epoch }).ToListAsync();
        return new Books(
            [.. orders.Select(order => (order.Customer, order.Epoch))],
            await shop.Shipments.OrderBy(shipment => shipment.Id).Select(shipment => shipment.Epoch).ToListAsync(),
            await shop.Orders.CountAsync(order => order.Shipment == null),
            await shop.Products.SumAsync(product => product.Stock),
            await shop.Set<OrderLine>().SumAsync(line => line.Quantity));
    }

    /// <summary>Says what every run promises.</summary>
    /// <param name="verdicts">Gets it.</param>
    /// <param name="acknowledged">The customers whose orders were confirmed.</param>
    public void Judge(Verdicts verdicts, IReadOnlyCollection<string> acknowledged)
    {
        var counts = Orders.CountBy(order => order.Customer, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        verdicts.Expect(acknowledged.All(counts.ContainsKey), $"of {acknowledged.Count} acknowledged orders {acknowledged.Count(customer => !counts.ContainsKey(customer))} are lost");
        verdicts.Expect(counts.Values.All(count => count == 1), $"of {Orders.Count} stored orders {counts.Values.Count(count => count > 1)} are there more than once");
        verdicts.Expect(StockLeft + Sold == Stock && Sold == Orders.Count, $"stock adds up: {StockLeft} left and {Sold} sold of {Stock}");
        verdicts.Expect(Orders.Select(order => order.Epoch).SequenceEqual(Orders.Select(order => order.Epoch).Order()),
            $"orders came in order of {Orders.DistinctBy(order => order.Epoch).Count()} epochs");
        verdicts.Expect(ShippedInEpochs.SequenceEqual(ShippedInEpochs.Order()) && ShippedInEpochs.Count + Unshipped == Orders.Count,
            $"{ShippedInEpochs.Count} orders were shipped, once each and in order of {ShippedInEpochs.Distinct().Count()} epochs");
    }
}
