using Shop;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddSingleton<OrderBook>();
builder.Services.AddSingleton<IStock, Stock>();
builder.Services.AddHa(o => o.RaiseFence = (epoch, stop) => o.ApplicationServices!.GetRequiredService<OrderBook>().RaiseFenceAsync(epoch, stop));

var app = builder.Build();
await app.Services.GetRequiredService<OrderBook>().CreateAsync();
app.UseHa();
app.MapPost("/orders/{item}", async (string item, OrderBook book) => Results.Ok(await book.AddAsync(item)));
app.MapGet("/orders", (OrderBook book) => book.AllAsync());
app.Run();

/// <summary>The entry point, for <c>WebApplicationFactory</c>.</summary>
public partial class Program;
