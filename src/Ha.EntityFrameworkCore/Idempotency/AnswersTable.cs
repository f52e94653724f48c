using System.Globalization;
using Ha.EntityFrameworkCore.Fencing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;

namespace Ha.EntityFrameworkCore.Idempotency;

/// <summary>
/// The stored answers, through an application's context and in whatever transaction it has, but past its change tracker:
/// what a handler tracks and has not saved is none of our business.
/// </summary>
internal sealed class AnswersTable
{
    /// <summary>The entity's name. It has no type of its own, so that a compiled model needs none.</summary>
    public const string Entity = "Ha.Answer";

    /// <summary>The table's name unless another one is given.</summary>
    public const string DefaultName = "ha_answers";

    public const string Id = nameof(Id);
    public const string Fingerprint = nameof(Fingerprint);
    public const string At = nameof(At);
    public const string Status = nameof(Status);
    public const string Headers = nameof(Headers);
    public const string Body = nameof(Body);

    // Both wait for a transaction that has the key in work, and then say "no row" instead of failing.
    private static readonly string[] _skipsConflicts = [Fence.Npgsql, Fence.Sqlite];

    // How long a transaction that has taken a key may stand idle before it comes to the fence, which has a limit of its own. Nobody
    // waits for it but requests with the same key.
    private static readonly TimeSpan _idleBefore = TimeSpan.FromMinutes(1);

    private readonly DbContext _db;
    private readonly string _insert;
    private readonly string _update;

    /// <exception cref="InvalidOperationException">The context's model has no such table.</exception>
    public AnswersTable(DbContext db)
    {
        _db = db;
        var sql = db.GetService<ISqlGenerationHelper>();
        var entity = TypeOf(db);
        var table = sql.DelimitIdentifier(entity.GetTableName()!, entity.GetSchema());
        var store = StoreObjectIdentifier.Create(entity, StoreObjectType.Table)!.Value;
        string Column(string property) => sql.DelimitIdentifier(entity.FindProperty(property)!.GetColumnName(store)!);
        var into = $"INSERT INTO {table} ({Column(Id)}, {Column(Fingerprint)}, {Column(At)})";
        _insert = _skipsConflicts.Contains(db.Database.ProviderName, StringComparer.Ordinal)
            ? $"{SetIdle(db)}{into} VALUES ({{0}}, {{1}}, {{2}}) ON CONFLICT DO NOTHING"
            : $"{into} SELECT {{0}}, {{1}}, {{2}} WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {Column(Id)} = {{0}})";
        _update = $"UPDATE {table} SET {Column(Status)} = {{1}}, {Column(Headers)} = {{2}}, {Column(Body)} = {{3}} WHERE {Column(Id)} = {{0}}";
    }

    private IQueryable<Dictionary<string, object>> Rows => _db.Set<Dictionary<string, object>>(Entity).IgnoreQueryFilters();

    public static IEntityType TypeOf(DbContext db) => db.Model.FindEntityType(Entity)
        ?? throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture,
            $"The model of {db.GetType().Name} has no table for the answers that UseHaIdempotency keeps: add UseHaFence(services) to its options, and a migration."));

    /// <summary>In the command that takes the key. With an infinite limit the session is left as it is, as behind the fence.</summary>
    private static string SetIdle(DbContext db)
    {
        var limit = FenceBook.ExtensionOf(db)!.Shape.IdleLimit;
        return db.Database.ProviderName is not Fence.Npgsql || limit == Timeout.InfiniteTimeSpan ? "" : string.Create(CultureInfo.InvariantCulture,
            $"SELECT set_config('idle_in_transaction_session_timeout', '{(long)Math.Max(limit.TotalMilliseconds, _idleBefore.TotalMilliseconds)}', true); ");
    }

    /// <summary>Takes a key in work; false: it is there already.</summary>
    public async Task<bool> TryAddAsync(KeyedRequest request, long now, CancellationToken cancellationToken) =>
        await _db.Database.ExecuteSqlRawAsync(_insert, [request.Id, request.Fingerprint, now], cancellationToken) == 1;

    /// <summary>What is there under a key; null: nothing.</summary>
    public async Task<StoredRow?> FindAsync(string id, CancellationToken cancellationToken) =>
        await Rows.AsNoTracking().Where(row => (string)row[Id] == id)
            .Select(row => new StoredRow(
                (string)row[Fingerprint], (long)row[At], EF.Property<int?>(row, Status), EF.Property<string?>(row, Headers), EF.Property<byte[]?>(row, Body)))
            .FirstOrDefaultAsync(cancellationToken);

    public Task<int> RemoveAsync(string id, CancellationToken cancellationToken) =>
        Rows.Where(row => (string)row[Id] == id).ExecuteDeleteAsync(cancellationToken);

    public async Task CompleteAsync(string id, KeptAnswer answer, CancellationToken cancellationToken)
    {
        if (await _db.Database.ExecuteSqlRawAsync(_update, [id, answer.Status, answer.Headers, answer.Body], cancellationToken) != 1)
        {
            throw new InvalidOperationException("The Idempotency-Key of this request was removed while the request ran.");
        }
    }

    /// <summary>Removes answers from before <paramref name="from"/>, at most so many; how many it were.</summary>
    public Task<int> RemoveOldAsync(long from, int most, CancellationToken cancellationToken) =>
        Rows.Where(row => (long)row[At] < from).OrderBy(row => (long)row[At]).Take(most).ExecuteDeleteAsync(cancellationToken);
}

/// <summary>A row of the table.</summary>
/// <param name="Fingerprint">Of the request.</param>
/// <param name="At">When it came: milliseconds since 1970 by the wall clock of the node.</param>
/// <param name="Status">Null, as the other two: in work.</param>
/// <param name="Headers">Of the answer.</param>
/// <param name="Body">Of the answer.</param>
internal sealed record StoredRow(string Fingerprint, long At, int? Status, string? Headers, byte[]? Body)
{
    public KeptAnswer? Answer => Status is { } status ? new KeptAnswer(status, Headers!, Body!) : null;
}
