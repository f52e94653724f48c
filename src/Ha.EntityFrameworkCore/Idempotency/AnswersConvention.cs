using Ha.EntityFrameworkCore.Fencing;
using Ha.EntityFrameworkCore.Model;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Metadata.Conventions;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Ha.EntityFrameworkCore.Idempotency;

/// <summary>Puts the table of the answers into a model, where migrations and <c>EnsureCreated</c> find it.</summary>
internal sealed class AnswersConvention(string table, FenceShape shape) : IModelFinalizingConvention
{
    private const int HashLength = 64;

    public void ProcessModelFinalizing(IConventionModelBuilder modelBuilder, IConventionContext<IConventionModelBuilder> context)
    {
        var model = (IMutableModel)modelBuilder.Metadata;
        if (model.FindEntityType(typeof(HistoryRow)) is not null)
        {
            // EF Core's own model of its migrations' history, made by the same conventions.
            return;
        }

        var row = model.AddEntityType(AnswersTable.Entity, typeof(Dictionary<string, object>));
        row.SetTableName(table);
        if (shape.Schema is not null)
        {
            row.SetSchema(shape.Schema);
        }

        row.SetIsTableExcludedFromMigrations(!shape.OwnsTable);
        var id = AddColumn(row, AnswersTable.Id, typeof(string));
        id.SetMaxLength(HashLength);
        AddColumn(row, AnswersTable.Fingerprint, typeof(string)).SetMaxLength(HashLength);
        var at = AddColumn(row, AnswersTable.At, typeof(long));
        AddColumn(row, AnswersTable.Status, typeof(int?), isNullable: true);
        AddColumn(row, AnswersTable.Headers, typeof(string), isNullable: true);
        AddColumn(row, AnswersTable.Body, typeof(byte[]), isNullable: true);
        row.SetPrimaryKey(id);
        row.AddIndex(at);
    }

    private static IMutableProperty AddColumn(IMutableEntityType row, string name, Type type, bool isNullable = false) =>
        OwnColumn.Add(row, name, name.ToLowerInvariant(), type, isNullable);
}
