using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace Ha.Tests.Hosting;

/// <summary>What a user of an assembly can see, as text: one line per type and member, in a stable order.</summary>
internal static class PublicSurface
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<Type, string> _keywords = new()
    {
        [typeof(void)] = "void",
        [typeof(object)] = "object",
        [typeof(string)] = "string",
        [typeof(bool)] = "bool",
        [typeof(int)] = "int",
        [typeof(long)] = "long",
        [typeof(double)] = "double",
        [typeof(byte)] = "byte",
    };

    public static string Render(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var type in assembly.GetExportedTypes().OrderBy(t => t.FullName, StringComparer.Ordinal))
        {
            text.Append(TypeLine(type)).Append('\n');
            foreach (var line in Members(type).Order(StringComparer.Ordinal))
            {
                text.Append("    ").Append(line).Append('\n');
            }
        }

        return text.ToString();
    }

    private static string TypeLine(Type type)
    {
        var kind = type switch
        {
            { IsEnum: true } => "enum",
            { IsInterface: true } => "interface",
            { IsValueType: true } => "struct",
            { IsAbstract: true, IsSealed: true } => "static class",
            { IsAbstract: true } => "abstract class",
            { IsSealed: true } => "sealed class",
            _ => "class",
        };
        var inherited = type.BaseType?.GetInterfaces() ?? [];
        var parents = type.GetInterfaces().Except(inherited).Where(i => i.IsPublic).Select(i => Name(i)).Order(StringComparer.Ordinal).ToList();
        if (type is { IsClass: true, BaseType: { } parent } && parent != typeof(object))
        {
            parents.Insert(0, Name(parent));
        }

        var after = type.IsEnum || parents.Count == 0 ? "" : " : " + string.Join(", ", parents);
        return $"{kind} {type.Namespace}.{Name(type)}{after}";
    }

    private static IEnumerable<string> Members(Type type)
    {
        if (type.IsEnum)
        {
            return Enum.GetValuesAsUnderlyingType(type).Cast<object>()
                .Select(value => string.Create(CultureInfo.InvariantCulture, $"{Enum.GetName(type, value)} = {value}"));
        }

        return type.GetMembers(Declared).SelectMany(Lines);
    }

    private static IEnumerable<string> Lines(MemberInfo member) => member switch
    {
        ConstructorInfo made when Seen(made) => [$"{Access(made)}.ctor({Parameters(made)})"],
        MethodInfo { IsSpecialName: false } method when Seen(method) && !Compiler(method) =>
            [$"{Access(method)}{Name(method.ReturnType, Nulls(method.ReturnParameter))} {method.Name}{Generics(method)}({Parameters(method)})"],
        PropertyInfo property when property.GetAccessors(nonPublic: true).Any(Seen) => [Property(property)],
        FieldInfo { IsSpecialName: false } field when field.IsPublic || field.IsFamily =>
            [$"{(field.IsStatic ? "static " : "")}{Name(field.FieldType)} {field.Name}"],
        EventInfo e => [$"event {e.Name}"],
        _ => [],
    };

    private static string Property(PropertyInfo property)
    {
        var get = property.GetMethod is { } getter && Seen(getter) ? " get;" : "";
        var set = property.SetMethod is { } setter && Seen(setter)
            ? setter.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? " init;" : " set;"
            : "";
        var required = property.IsDefined(typeof(RequiredMemberAttribute)) ? "required " : "";
        var accessor = property.GetAccessors(nonPublic: true).First(Seen);
        return $"{Access(accessor)}{required}{Name(property.PropertyType, new NullabilityInfoContext().Create(property))} {property.Name} {{{get}{set} }}";
    }

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(p =>
    {
        var isThis = p.Position == 0 && method.IsDefined(typeof(ExtensionAttribute)) ? "this " : "";
        var value = p.HasDefaultValue ? $" = {(p.DefaultValue is null ? "default" : Convert.ToString(p.DefaultValue, CultureInfo.InvariantCulture))}" : "";
        return $"{isThis}{Name(p.ParameterType, Nulls(p))} {p.Name}{value}";
    }));

    private static NullabilityInfo Nulls(ParameterInfo parameter) => new NullabilityInfoContext().Create(parameter);

    private static string Generics(MethodInfo method) =>
        method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(t => t.Name))}>" : "";

    private static string Access(MethodBase method)
    {
        var text = method.IsFamily || method.IsFamilyOrAssembly ? "protected " : "";
        text += method.IsStatic ? "static " : "";
        return text + (method switch
        {
            _ when method.DeclaringType!.IsInterface => "",
            { IsAbstract: true } => "abstract ",
            MethodInfo { IsVirtual: true, IsFinal: true } m when m.GetBaseDefinition() != m => "sealed override ",
            MethodInfo { IsVirtual: true } m when m.GetBaseDefinition() != m => "override ",
            { IsVirtual: true, IsFinal: false } => "virtual ",
            _ => "",
        });
    }

    private static bool Seen(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static bool Compiler(MemberInfo member) => member.Name.Contains('<', StringComparison.Ordinal);

    private static string Name(Type type, NullabilityInfo? nulls = null)
    {
        if (Nullable.GetUnderlyingType(type) is { } inner)
        {
            return Name(inner) + "?";
        }

        var name = _keywords.GetValueOrDefault(type);
        if (name is null && type.IsGenericType)
        {
            var arguments = type.GetGenericArguments().Select((t, i) => Name(t, nulls?.GenericTypeArguments.ElementAtOrDefault(i)));
            name = $"{type.Name.Split('`')[0]}<{string.Join(", ", arguments)}>";
        }

        name ??= type.IsArray ? Name(type.GetElementType()!) + "[]" : type.Name;
        return !type.IsValueType && nulls?.ReadState == NullabilityState.Nullable ? name + "?" : name;
    }
}
