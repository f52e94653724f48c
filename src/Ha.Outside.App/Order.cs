namespace Shop;

/// <param name="Item">What was ordered.</param>
/// <param name="Epoch">The leadership under which it was written.</param>
public sealed record Order(string Item, long Epoch);
