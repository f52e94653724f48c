namespace Orders;

public sealed class Product
{
    public int Id { get; init; }

    public required string Name { get; init; }

    /// <summary>How many are there; the database lets it never fall below 0.</summary>
    public int Stock { get; init; }
}
