namespace Orders;

public sealed class Shipment
{
    public long Id { get; init; }

    public long OrderId { get; init; }

    /// <summary>The leader's epoch that it was sent in.</summary>
    public required long Epoch { get; init; }
}
