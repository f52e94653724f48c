using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Benchmarks.Fencing;

/// <summary><c>fence</c>: what <c>UseHaFence</c> adds to <c>SaveChanges</c> on PostgreSQL; the ways take turns in one run.</summary>
internal static class FenceCommand
{
    private const int Rounds = 9;

    private static readonly TimeSpan _turn = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _warmUp = TimeSpan.FromMilliseconds(300);

    public static async Task<int> RunAsync(string[] args)
    {
        if (args is not [var connectionString])
        {
            await Console.Error.WriteLineAsync("fence CONNECTION-STRING: of a PostgreSQL database that may be filled; it gets two tables.");
            return 2;
        }

        await using var plain = Services(connectionString, fenced: false);
        await using var fenced = Services(connectionString, fenced: true);
        await using (var scope = fenced.CreateAsyncScope())
        {
            await scope.ServiceProvider.GetRequiredService<Bench>().Database.EnsureCreatedAsync();
        }

        // The epoch of a leader that has just won.
        using var leadership = LeaderScope.Enter(new Leadership());
        Console.WriteLine("| clients | rows | way | saves/s | of plain | ms a save |");
        Console.WriteLine("|---|---|---|---:|---:|---:|");
        foreach (var clients in (int[])[1, 16])
        {
            foreach (var rows in (int[])[1, 2])
            {
                await CompareAsync(clients, rows, [("plain", plain, false), ("plain, always in a transaction", plain, true), ("fenced", fenced, false)]);
            }
        }

        return 0;
    }

    private static async Task CompareAsync(int clients, int rows, (string Name, IServiceProvider Services, bool Always)[] ways)
    {
        var rates = ways.Select(_ => new List<double>()).ToArray();
        for (var round = 0; round < Rounds; round++)
        {
            for (var i = 0; i < ways.Length; i++)
            {
                await RunAsync(ways[i].Services, ways[i].Always, clients, rows, _warmUp);
                rates[i].Add(await RunAsync(ways[i].Services, ways[i].Always, clients, rows, _turn));
            }
        }

        for (var i = 0; i < ways.Length; i++)
        {
            var rate = Median(rates[i]);
            var ratio = Median(rates[i].Zip(rates[0], (own, plain) => own / plain));
            Console.WriteLine($"| {clients} | {rows} | {ways[i].Name} | {rate:F0} | {ratio:F3} | {1000 * clients / rate:F2} |");
        }
    }

    private static async Task<double> RunAsync(IServiceProvider services, bool always, int clients, int rows, TimeSpan time)
    {
        var started = Stopwatch.GetTimestamp();
        var saves = await Task.WhenAll(Enumerable.Range(0, clients).Select(_ => Task.Run(async () =>
        {
            var saved = 0;
            while (Stopwatch.GetElapsedTime(started) < time)
            {
                await using var scope = services.CreateAsyncScope();
                var db = scope.ServiceProvider.GetRequiredService<Bench>();
                db.Database.AutoTransactionBehavior = always ? AutoTransactionBehavior.Always : AutoTransactionBehavior.WhenNeeded;
                for (var row = 0; row < rows; row++)
                {
                    db.Add(new BenchRow { Text = "a row" });
                }

                await db.SaveChangesAsync();
                saved++;
            }

            return saved;
        })));
        return saves.Sum() / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    private static ServiceProvider Services(string connectionString, bool fenced)
    {
        var services = new ServiceCollection().AddSingleton<ILeaderProvider>(new StaticLeader("bench"));
        services.AddDbContextPool<Bench>((provider, options) =>
        {
            options.UseNpgsql(connectionString);
            if (fenced)
            {
                options.UseHaFence(provider);
            }
        });
        return services.BuildServiceProvider();
    }

    private sealed class Leadership : IHaFeature
    {
        public long Epoch { get; } = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

        public CancellationToken LeaseLost => CancellationToken.None;

        public void EnsureStillLeader()
        {
        }
    }
}

internal sealed class Bench(DbContextOptions<Bench> options) : DbContext(options)
{
    public DbSet<BenchRow> Rows => Set<BenchRow>();
}

internal sealed class BenchRow
{
    public int Id { get; init; }

    public required string Text { get; init; }
}
