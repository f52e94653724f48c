using Microsoft.EntityFrameworkCore;

namespace Orders;

/// <summary>The shop as SQLite has it; each database has migrations of its own, so each has a type of its own.</summary>
public class ShopContext(DbContextOptions options) : DbContext(options)
{
    public DbSet<Product> Products => Set<Product>();

    public DbSet<Order> Orders => Set<Order>();

    public DbSet<Shipment> Shipments => Set<Shipment>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Product>(product =>
        {
            product.ToTable(table => table.HasCheckConstraint("stock_is_there", "\"Stock\" >= 0"));
            product.HasData(Enumerable.Range(1, 20).Select(id => new Product { Id = id, Name = $"Product {id}", Stock = 1_000_000 }));
        });
        modelBuilder.Entity<OrderLine>(line =>
        {
            line.HasKey(l => new { l.OrderId, l.ProductId });
            line.HasOne<Product>().WithMany().HasForeignKey(l => l.ProductId);
        });

        // Whatever becomes of the job, nothing is shipped twice.
        modelBuilder.Entity<Shipment>().HasIndex(shipment => shipment.OrderId).IsUnique();
        modelBuilder.Entity<Shipment>().HasOne<Order>().WithOne(order => order.Shipment).HasForeignKey<Shipment>(shipment => shipment.OrderId);
    }
}

/// <summary>The same in PostgreSQL.</summary>
public sealed class PostgresShopContext(DbContextOptions<PostgresShopContext> options) : ShopContext(options);
