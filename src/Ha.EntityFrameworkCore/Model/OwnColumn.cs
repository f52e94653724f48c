using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace Ha.EntityFrameworkCore.Model;

/// <summary>Columns of the library's own tables.</summary>
internal static class OwnColumn
{
    /// <summary>
    /// Adds one as its type alone says it, whatever the application's <c>ConfigureConventions</c> says of all properties of that type:
    /// SQL of the library's own works with it.
    /// </summary>
    public static IMutableProperty Add(IMutableEntityType row, string name, string column, Type type, bool isNullable = false)
    {
        var property = row.AddIndexerProperty(name, type);
        property.SetColumnName(column);
        property.IsNullable = isNullable;
        property.ValueGenerated = ValueGenerated.Never;
        property.SetColumnType(null);
        property.SetMaxLength(null);
        property.SetIsUnicode(null);
        property.SetIsFixedLength(null);
        property.SetProviderClrType(null);
        property.SetValueConverter((ValueConverter?)null);
        return property;
    }
}
