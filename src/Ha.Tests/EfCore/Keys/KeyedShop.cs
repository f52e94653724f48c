using Microsoft.EntityFrameworkCore;

namespace Ha.Tests.EfCore.Keys;

/// <summary>A shop behind the fence.</summary>
internal sealed class KeyedShop(DbContextOptions<KeyedShop> options) : DbContext(options)
{
    public DbSet<Purchase> Purchases => Set<Purchase>();
}

internal sealed class Purchase
{
    public int Id { get; init; }

    public required string Text { get; init; }
}
