using Ha.EntityFrameworkCore.Idempotency;
using Microsoft.EntityFrameworkCore;

namespace Ha.Tests.EfCore.Keys;

/// <summary>Notes, and the table for answers.</summary>
internal sealed class KeyedShop(DbContextOptions<KeyedShop> options) : DbContext(options)
{
    public DbSet<Purchase> Purchases => Set<Purchase>();

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder) =>
        configurationBuilder.Conventions.Add(_ => new AnswersConvention(AnswersTable.DefaultName, schema: null));
}

internal sealed class Purchase
{
    public int Id { get; init; }

    public required string Text { get; init; }
}
