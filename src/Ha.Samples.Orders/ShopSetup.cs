using System.Data.Common;
using Microsoft.EntityFrameworkCore;

namespace Orders;

internal static class ShopSetup
{
    /// <summary>The database that <c>ConnectionStrings:Orders</c> names (<c>Host=…</c> is PostgreSQL), or a file beside the application.</summary>
    public static void AddShop(this WebApplicationBuilder builder)
    {
        var database = builder.Configuration.GetConnectionString("Orders")
            ?? $"Data Source={Path.Combine(builder.Environment.ContentRootPath, "orders.db")}";
        if (new DbConnectionStringBuilder { ConnectionString = database }.ContainsKey("Host"))
        {
            builder.Services.AddDbContext<ShopContext, PostgresShopContext>((services, options) => options
                .UseNpgsql(database, npgsql => npgsql.EnableRetryOnFailure()).UseHaFence(services));
        }
        else
        {
            builder.Services.AddDbContext<ShopContext>((services, options) => options.UseSqlite(database).UseHaFence(services));
        }
    }
}
