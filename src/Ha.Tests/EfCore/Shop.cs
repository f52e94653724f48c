using Microsoft.EntityFrameworkCore;

namespace Ha.Tests.EfCore;

internal sealed class Shop(DbContextOptions<Shop> options) : DbContext(options)
{
    public DbSet<Order> Orders => Set<Order>();

    /// <summary>The tables, and the fence as docs/example.md has it.</summary>
    public async Task CreateAsync()
    {
        await Database.EnsureCreatedAsync();
        await Database.ExecuteSqlAsync(
            $"CREATE TABLE fence (id INTEGER PRIMARY KEY CHECK (id = 1), epoch BIGINT NOT NULL); INSERT INTO fence VALUES (1, 0)");
    }
}

internal sealed class Order
{
    public int Id { get; init; }

    public required string Text { get; init; }
}
