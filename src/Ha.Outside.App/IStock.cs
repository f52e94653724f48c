namespace Shop;

/// <summary>What an order takes from a store-house.</summary>
public interface IStock
{
    Task TakeAsync(string item);
}

internal sealed class Stock : IStock
{
    public Task TakeAsync(string item) => Task.CompletedTask;
}
