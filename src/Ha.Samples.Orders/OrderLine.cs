namespace Orders;

public sealed class OrderLine
{
    public long OrderId { get; init; }

    public required int ProductId { get; init; }

    public required int Quantity { get; init; }
}
