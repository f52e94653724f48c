using Ha.EntityFrameworkCore;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Orders;

namespace Ha.Tests.Orders;

/// <summary>
/// `orders-node FOLDER [without-fence]`: the sample as a process, with a stop between the fence and the commit of certain orders
/// (<see cref="StopAtCommit"/>), and with nothing else changed; or with its requests past the fence's check.
/// </summary>
internal static class OrdersNode
{
    public const string Verb = "orders-node";
    public const string WithoutFence = "without-fence";

    public static int Run(string[] args)
    {
        using var app = Build(args);
        app.Run();
        return 0;
    }

    private static WebApplication Build(string[] args) => global::Orders.Program.Build([], builder =>
    {
        builder.Services.ConfigureDbContext<PostgresShopContext>(options => options.AddInterceptors(new StopAtCommit(args[0])));
        if (args.Contains(WithoutFence, StringComparer.Ordinal))
        {
            builder.Services.AddSingleton<IStartupFilter>(new PastTheFence());
        }
    });

    private sealed class PastTheFence : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(async (http, rest) =>
            {
                using var exemption = HaFenceExemption.Begin();
                await rest(http);
            });
            next(app);
        };
    }
}
