using System.Reflection;
using Mono.Cecil;
using Mono.Cecil.Cil;
using MethodBody = Mono.Cecil.Cil.MethodBody;

namespace Ha.Tests.Architecture;

/// <summary>One type that mentions another, in a signature, an attribute or the body of a method.</summary>
/// <param name="From">Full name of a type of the assembly.</param>
/// <param name="To">Full name of the other.</param>
/// <param name="IsOwn">The other is of the same assembly.</param>
internal sealed record TypeArrow(string From, string To, bool IsOwn);

/// <summary>
/// What each type of a compiled assembly mentions. Nested types, and so lambdas, local functions, iterators and async state
/// machines, count for the type around them.
/// </summary>
internal static class AssemblyArrows
{
    /// <param name="assembly">As it was loaded from its file.</param>
    /// <param name="space">The namespace whose types are looked at; null: all.</param>
    public static IReadOnlyList<TypeArrow> Read(Assembly assembly, string? space = null)
    {
        using var module = ModuleDefinition.ReadModule(assembly.Location);
        return [.. module.GetTypes()
            .Where(type => space is null || Outer(type).Namespace == space)
            .SelectMany(type => Mentioned(type).SelectMany(Parts).Select(part => Arrow(type, part)))
            .Where(arrow => arrow.From != arrow.To)
            .Distinct()];
    }

    private static TypeArrow Arrow(TypeDefinition from, TypeReference to) => new(Outer(from).FullName, Outer(to).FullName, IsOwn(to, from.Module));

    private static TypeReference Outer(TypeReference type) => type.DeclaringType is { } outer ? Outer(outer) : type;

    private static bool IsOwn(TypeReference type, ModuleDefinition module) => Outer(type).Scope == module;

    private static IEnumerable<TypeReference?> Mentioned(TypeDefinition type) =>
    [
        type.BaseType,
        .. type.Interfaces.Select(implemented => implemented.InterfaceType),
        .. Attributes(type),
        .. Constraints(type),
        .. type.Fields.SelectMany(field => Attributes(field).Append(field.FieldType)),
        .. type.Properties.SelectMany(Attributes),
        .. type.Events.SelectMany(Attributes),
        .. type.Methods.SelectMany(Mentioned),
    ];

    private static IEnumerable<TypeReference?> Mentioned(MethodDefinition method) =>
    [
        .. Signature(method),
        .. Attributes(method),
        .. Constraints(method),
        .. method.Parameters.SelectMany(Attributes),
        .. method.Overrides.Select(overridden => overridden.DeclaringType),
        .. method.HasBody ? Mentioned(method.Body) : [],
    ];

    private static IEnumerable<TypeReference?> Mentioned(MethodBody body) =>
    [
        .. body.Variables.Select(variable => variable.VariableType),
        .. body.ExceptionHandlers.Select(handler => handler.CatchType),
        .. body.Instructions.SelectMany(Mentioned),
    ];

    private static IEnumerable<TypeReference?> Mentioned(Instruction instruction) => instruction.Operand switch
    {
        TypeReference type => [type],
        FieldReference field => [field.DeclaringType, field.FieldType],
        GenericInstanceMethod method => [method.DeclaringType, .. Signature(method), .. method.GenericArguments],
        MethodReference method => [method.DeclaringType, .. Signature(method)],
        _ => [],
    };

    private static IEnumerable<TypeReference> Signature(IMethodSignature method) =>
        method.Parameters.Select(parameter => parameter.ParameterType).Append(method.ReturnType);

    private static IEnumerable<TypeReference> Constraints(IGenericParameterProvider of) =>
        of.GenericParameters.SelectMany(parameter => parameter.Constraints).Select(constraint => constraint.ConstraintType);

    private static IEnumerable<TypeReference> Attributes(Mono.Cecil.ICustomAttributeProvider on) => on.CustomAttributes.SelectMany(attribute =>
        attribute.ConstructorArguments.Select(argument => argument.Value).OfType<TypeReference>().Append(attribute.AttributeType));

    /// <summary>The plain types that one is made of; a generic parameter is none.</summary>
    private static IEnumerable<TypeReference> Parts(TypeReference? type) => type switch
    {
        null or GenericParameter => [],
        GenericInstanceType generic => [generic.ElementType, .. generic.GenericArguments.SelectMany(Parts)],
        IModifierType modified => [.. Parts(modified.ElementType), .. Parts(modified.ModifierType)],
        TypeSpecification wrapped => Parts(wrapped.ElementType),
        _ => [type],
    };
}
