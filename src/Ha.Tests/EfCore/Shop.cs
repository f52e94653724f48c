using Microsoft.EntityFrameworkCore;

namespace Ha.Tests.EfCore;

internal sealed class Shop(DbContextOptions<Shop> options) : DbContext(options)
{
    public DbSet<Order> Orders => Set<Order>();

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Order>().HasIndex(order => order.Text).IsUnique();
}

internal sealed class Order
{
    public int Id { get; init; }

    public required string Text { get; set; }
}
