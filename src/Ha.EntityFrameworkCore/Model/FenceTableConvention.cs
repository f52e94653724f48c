using Ha.EntityFrameworkCore.Fencing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Metadata.Conventions;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Ha.EntityFrameworkCore.Model;

/// <summary>The fence's table in the model, so that migrations and <c>EnsureCreated</c> make it with its row.</summary>
internal sealed class FenceTableConvention(FenceShape shape) : IModelFinalizingConvention
{
    /// <summary>The entity's name. It has no type of its own, so that a compiled model needs none.</summary>
    public const string Entity = "Ha.Fence";

    public const string IdColumn = "id";
    public const string EpochColumn = "epoch";

    private const string Id = "Id";
    private const string Epoch = "Epoch";

    public void ProcessModelFinalizing(IConventionModelBuilder modelBuilder, IConventionContext<IConventionModelBuilder> context)
    {
        var model = (IMutableModel)modelBuilder.Metadata;
        if (model.FindEntityType(typeof(HistoryRow)) is not null)
        {
            // EF Core's own model of its migrations' history, made by the same conventions.
            return;
        }

        var row = model.AddEntityType(Entity, typeof(Dictionary<string, object>));
        row.SetTableName(shape.Table);
        if (shape.Schema is not null)
        {
            row.SetSchema(shape.Schema);
        }

        row.SetIsTableExcludedFromMigrations(!shape.OwnsTable);
        var id = OwnColumn.Add(row, Id, IdColumn, typeof(int));
        OwnColumn.Add(row, Epoch, EpochColumn, typeof(long));
        row.SetPrimaryKey(id);
        if (shape.OwnsTable)
        {
            row.AddData([new Dictionary<string, object>(StringComparer.Ordinal) { [Id] = 1, [Epoch] = 0L }]);
        }
    }
}
