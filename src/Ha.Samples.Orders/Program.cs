namespace Orders;

public static class Program
{
    public static async Task Main(string[] args)
    {
        await using var app = Build(args);
        await app.RunAsync();
    }

    public static WebApplication Build(string[] args, Action<WebApplicationBuilder>? configure = null)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.AddShop();
        builder.Services.AddHa(options => options.FenceWith<ShopContext>());
        builder.Services.AddHaMigrations<ShopContext>();
        builder.Services.AddHostedService<ShippingJob>();
        builder.Services.AddProblemDetails();
        configure?.Invoke(builder);

        var app = builder.Build();
        app.UseExceptionHandler();
        app.UseHa();
        app.UseHaIdempotency<ShopContext>(options => options.Required = true);
        app.MapOrders();
        return app;
    }
}
