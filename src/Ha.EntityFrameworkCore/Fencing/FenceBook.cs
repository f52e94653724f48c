using System.Collections.Concurrent;
using System.Data.Common;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;

namespace Ha.EntityFrameworkCore.Fencing;

/// <summary>
/// What all contexts of one configuration know together: the fence of each model, and the epoch that each database is known to have
/// stored. Thread-safe.
/// </summary>
internal sealed class FenceBook
{
    /// <summary>An application with a database for each customer may have many; forgetting costs each of them one round trip.</summary>
    private const int MostDatabases = 10_000;

    private readonly ConditionalWeakTable<IModel, Fence> _fences = [];
    private readonly ConcurrentDictionary<(string Server, string Database, string Table), long> _stored = new();

    public Fence FenceOf(DbContext context) => _fences.TryGetValue(context.Model, out var fence) ? fence
        : _fences.GetValue(context.Model, _ => Fence.Create(context, ExtensionOf(context)!.Shape));

    public static FenceExtension? ExtensionOf(DbContext context) => context.GetService<IDbContextOptions>().FindExtension<FenceExtension>();

    /// <summary>True: exactly this epoch was stored when we last looked. Never more than a guess, which the check itself corrects.</summary>
    public bool IsStored(Fence fence, DbConnection connection, long epoch) => _stored.TryGetValue(Key(fence, connection), out var stored) && stored == epoch;

    public void Note(Fence fence, DbConnection connection, long epoch)
    {
        if (_stored.Count >= MostDatabases)
        {
            _stored.Clear();
        }

        _stored[Key(fence, connection)] = epoch;
    }

    public void Forget(Fence fence, DbConnection connection) => _stored.TryRemove(Key(fence, connection), out _);

    private static (string Server, string Database, string Table) Key(Fence fence, DbConnection connection) =>
        (connection.DataSource, connection.Database, fence.Table);
}
