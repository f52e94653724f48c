using System.Data.Common;
using Ha.EntityFrameworkCore.Model;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace Ha.EntityFrameworkCore.Fencing;

/// <summary>The fence of one model on one kind of database. Immutable and thread-safe.</summary>
internal sealed class Fence
{
    public const string Npgsql = "Npgsql.EntityFrameworkCore.PostgreSQL";
    public const string Sqlite = "Microsoft.EntityFrameworkCore.Sqlite";

    private Fence(HaFence sql, string table, string provider) =>
        (Sql, Table, IsPostgres, IsSqlite) = (sql, table, provider == Npgsql, provider == Sqlite);

    public HaFence Sql { get; }

    /// <summary>With its schema, for messages and to tell fences apart.</summary>
    public string Table { get; }

    public bool IsPostgres { get; }

    public bool IsSqlite { get; }

    /// <exception cref="InvalidOperationException">The model was made without the fence.</exception>
    public static Fence Create(DbContext context, FenceShape shape)
    {
        var row = context.Model.FindEntityType(FenceTableConvention.Entity) ?? throw new InvalidOperationException(
            $"The model of {context.GetType().Name} has no fence: it was compiled, or made elsewhere, without UseHaFence(). Make it again.");
        var table = row.GetTableName()!;
        var schema = row.GetSchema();
        var provider = context.Database.ProviderName ?? "";
        var sql = provider switch
        {
            Npgsql => HaFence.ForPostgres(table, schema, shape.IdleLimit),
            Sqlite => HaFence.ForSqlite(table),
            _ => Standard(context.GetService<ISqlGenerationHelper>(), table, schema),
        };

        return new Fence(sql, schema is null ? table : $"{schema}.{table}", provider);
    }

    /// <summary>Puts the check at the end of a command. Only there: the provider reads its own results by their place.</summary>
    public void AppendTo(DbCommand command, long epoch)
    {
        var text = command.CommandText.TrimEnd();
        command.CommandText = text + (text.EndsWith(';') ? "\n" : "\n;\n") + Sql.CheckStatement(epoch);
    }

    /// <exception cref="InvalidOperationException">The table is missing.</exception>
    public async Task CheckAsync(DbConnection connection, DbTransaction? transaction, IHaFeature leadership, bool async, CancellationToken cancellationToken)
    {
        try
        {
            if (async)
            {
                await Sql.CheckAsync(connection, transaction, leadership, cancellationToken);
            }
            else
            {
                Sql.Check(connection, transaction, leadership);
            }
        }
        catch (DbException failure) when (MeansNoTable(failure))
        {
            throw NoTable(failure);
        }
    }

    /// <summary>Stores the epoch unless a higher one is there, and returns the one before.</summary>
    /// <exception cref="InvalidOperationException">The table is missing.</exception>
    public async ValueTask<long> RaiseAsync(DbConnection connection, long epoch, CancellationToken cancellationToken)
    {
        try
        {
            return await Sql.RaiseAsync(connection, epoch, cancellationToken);
        }
        catch (DbException failure) when (MeansNoTable(failure))
        {
            throw NoTable(failure);
        }
    }

    private static HaFence Standard(ISqlGenerationHelper names, string table, string? schema) => HaFence.ForStandardSql(
        names.DelimitIdentifier(table, schema),
        names.DelimitIdentifier(FenceTableConvention.IdColumn),
        names.DelimitIdentifier(FenceTableConvention.EpochColumn));

    /// <summary>By the states of the SQL standard and PostgreSQL, and by SQLite's words, which has none.</summary>
    private static bool MeansNoTable(DbException failure) =>
        failure.SqlState is "42P01" or "42S02" || failure.Message.Contains("no such table", StringComparison.Ordinal);

    private InvalidOperationException NoTable(DbException failure) => new(
        $"The fence's table {Table} is missing in the database: make a migration (dotnet ef migrations add Fence) and run it, " +
        "by AddHaMigrations<…>() at the start.",
        failure);
}
