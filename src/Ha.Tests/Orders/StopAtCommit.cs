using System.Data.Common;
using Ha.Tests.Support;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Orders;

namespace Ha.Tests.Orders;

/// <summary>
/// An order of a customer whose name begins with <see cref="Prefix"/> waits right before its commit, after every other
/// interceptor, until it is let go. Both sides speak by files in one folder.
/// </summary>
internal sealed class StopAtCommit(string folder) : DbTransactionInterceptor
{
    public const string Prefix = "stop-";

    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);

    /// <summary>True once the order of this customer waits.</summary>
    public static bool Waits(string folder, string customer) => File.Exists(Path.Combine(folder, customer + ".waits"));

    public static void LetGo(string folder, string customer) => File.WriteAllText(Path.Combine(folder, customer + ".goes"), "");

    public override async ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        var orders = eventData.Context?.ChangeTracker.Entries<Order>().Select(entry => entry.Entity.Customer);
        if (orders?.FirstOrDefault(customer => customer.StartsWith(Prefix, StringComparison.Ordinal)) is { } stopped)
        {
            await File.WriteAllTextAsync(Path.Combine(folder, stopped + ".waits"), "", CancellationToken.None);
            await Eventually.True(() => File.Exists(Path.Combine(folder, stopped + ".goes")), _patience, $"{stopped} is let go");
        }

        return result;
    }
}
