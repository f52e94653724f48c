namespace Orders;

public sealed class Order
{
    public long Id { get; init; }

    public required string Customer { get; init; }

    /// <summary>The leader's epoch that the order was taken in.</summary>
    public required long Epoch { get; init; }

    public required IList<OrderLine> Lines { get; init; }

    public Shipment? Shipment { get; init; }
}
