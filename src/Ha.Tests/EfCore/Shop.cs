using Microsoft.EntityFrameworkCore;

namespace Ha.Tests.EfCore;

internal sealed class Shop(DbContextOptions<Shop> options) : DbContext(options)
{
    public DbSet<Order> Orders => Set<Order>();
}

internal sealed class Order
{
    public int Id { get; init; }

    public required string Text { get; set; }
}
