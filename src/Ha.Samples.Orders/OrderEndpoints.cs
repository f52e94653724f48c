using Ha;
using Microsoft.EntityFrameworkCore;

namespace Orders;

internal static class OrderEndpoints
{
    private const int PageSize = 100;

    public static void MapOrders(this WebApplication app)
    {
        app.MapPost("/orders", AddAsync).HonorsIdempotencyKey();
        app.MapGet("/orders/{id:long}", async (long id, ShopContext shop) =>
            await shop.Orders.AsNoTracking().Include(order => order.Lines).FirstOrDefaultAsync(order => order.Id == id) is { } order
                ? Results.Ok(order)
                : Results.NotFound());
        app.MapGet("/orders", (ShopContext shop, long after = 0) =>
            shop.Orders.AsNoTracking().Where(order => order.Id > after).OrderBy(order => order.Id).Take(PageSize).ToListAsync());
        app.MapGet("/products", (ShopContext shop) => shop.Products.AsNoTracking().OrderBy(product => product.Id).ToListAsync());
    }

    /// <summary>Has a key, so runs in a transaction: stock, order and answer are stored together or not at all.</summary>
    private static async Task<IResult> AddAsync(NewOrder wanted, ShopContext shop)
    {
        if (wanted.Lines.Count == 0 || wanted.Lines.Any(line => line.Quantity < 1) || wanted.Lines.DistinctBy(line => line.Product).Count() < wanted.Lines.Count)
        {
            return Results.Problem("An order has at least one line, each with a product of its own.", statusCode: StatusCodes.Status400BadRequest);
        }

        // In one order everywhere, or two orders could wait for each other.
        foreach (var line in wanted.Lines.OrderBy(line => line.Product))
        {
            var taken = await shop.Products.Where(product => product.Id == line.Product && product.Stock >= line.Quantity)
                .ExecuteUpdateAsync(set => set.SetProperty(product => product.Stock, product => product.Stock - line.Quantity));
            if (taken == 0)
            {
                // Undoes what was taken before, and leaves the key for another try.
                return Results.Problem($"There are not so many of product {line.Product}.", statusCode: StatusCodes.Status409Conflict);
            }
        }

        var order = new Order
        {
            Customer = wanted.Customer,
            Epoch = LeaderScope.Current?.Epoch ?? 0,
            Lines = [.. wanted.Lines.Select(line => new OrderLine { ProductId = line.Product, Quantity = line.Quantity })],
        };
        shop.Add(order);
        await shop.SaveChangesAsync();
        return Results.Created($"/orders/{order.Id}", order);
    }

    private sealed record NewOrder(string Customer, IReadOnlyList<NewLine> Lines);

    private sealed record NewLine(int Product, int Quantity);
}
