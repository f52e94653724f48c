using System.Reflection;
using System.Runtime.Loader;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Ha.Tests.Mutants;

/// <summary>
/// Compiles the election core together with the simulator in memory. The sources are those that this very assembly
/// was built from; they travel in it as resources.
/// </summary>
internal sealed class MutantCompiler
{
    private const string Usings = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Threading;
        global using System.Threading.Tasks;
        """;

    private static readonly CSharpParseOptions _language = new(LanguageVersion.Preview);
    private readonly Dictionary<string, string> _sources = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SyntaxTree> _trees = new(StringComparer.Ordinal);
    private readonly CSharpCompilation _unchanged;

    public MutantCompiler()
    {
        var own = typeof(MutantCompiler).Assembly;
        foreach (string name in own.GetManifestResourceNames())
        {
            if (!name.EndsWith(".cs", StringComparison.Ordinal))
                continue;

            using var reader = new StreamReader(own.GetManifestResourceStream(name)!);
            string file = name[(name.IndexOf(':', StringComparison.Ordinal) + 1)..];
            _sources[file] = reader.ReadToEnd();
            _trees[file] = Parse(_sources[file], file);
        }

        string trusted = (string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!;
        _unchanged = CSharpCompilation.Create(
            "Mutant",
            [.. _trees.Values, Parse(Usings, "Usings.cs")],
            trusted.Split(Path.PathSeparator)
                .Where(path => Path.GetFileName(path).StartsWith("System.", StringComparison.Ordinal) || Path.GetFileName(path) is "netstandard.dll" or "mscorlib.dll")
                .Select(path => MetadataReference.CreateFromFile(path)),
            new CSharpCompilationOptions(
                OutputKind.DynamicallyLinkedLibrary,
                optimizationLevel: OptimizationLevel.Release,
                nullableContextOptions: NullableContextOptions.Disable,
                concurrentBuild: false));
    }

    /// <summary>The mutant's assembly, or why there is none.</summary>
    public Assembly? Compile(Mutant mutant, out string? error)
    {
        if (Patch(mutant, out error) is not { } compilation)
            return null;

        using var image = new MemoryStream();
        var emitted = compilation.Emit(image);
        if (!emitted.Success)
        {
            error = FirstErrors(mutant, emitted.Diagnostics);
            return null;
        }

        image.Position = 0;
        return new AssemblyLoadContext(mutant.Name, isCollectible: true).LoadFromStream(image);
    }

    /// <summary>What is wrong with the patch, or null; looks at the patched files only, which is much quicker.</summary>
    public string? Check(Mutant mutant)
    {
        if (Patch(mutant, out string? error) is not { } compilation)
            return error;

        var patched = mutant.Edits.Select(edit => edit.File).ToHashSet(StringComparer.Ordinal);
        var diagnostics = compilation.SyntaxTrees
            .Where(tree => patched.Contains(tree.FilePath))
            .SelectMany(tree => compilation.GetSemanticModel(tree).GetDiagnostics());
        return FirstErrors(mutant, diagnostics);
    }

    private CSharpCompilation? Patch(Mutant mutant, out string? error)
    {
        var compilation = _unchanged;
        var trees = new Dictionary<string, SyntaxTree>(_trees, StringComparer.Ordinal);
        var changed = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var edit in mutant.Edits)
        {
            string source = changed.GetValueOrDefault(edit.File) ?? _sources.GetValueOrDefault(edit.File, "");
            int at = source.IndexOf(edit.Search, StringComparison.Ordinal);
            if (at < 0 || source.IndexOf(edit.Search, at + 1, StringComparison.Ordinal) >= 0)
            {
                error = $"the patch of '{mutant.Name}' must apply exactly once to {edit.File}: {edit.Search}";
                return null;
            }

            changed[edit.File] = source.Replace(edit.Search, edit.Replacement, StringComparison.Ordinal);
            var tree = Parse(changed[edit.File], edit.File);
            compilation = compilation.ReplaceSyntaxTree(trees[edit.File], tree);
            trees[edit.File] = tree;
        }

        error = null;
        return compilation;
    }

    private static string? FirstErrors(Mutant mutant, IEnumerable<Diagnostic> diagnostics)
    {
        var errors = diagnostics.Where(d => d.Severity == DiagnosticSeverity.Error).Take(3).ToArray();
        return errors.Length == 0 ? null : $"'{mutant.Name}' does not compile: {string.Join("; ", errors.AsEnumerable())}";
    }

    private static SyntaxTree Parse(string text, string file) => CSharpSyntaxTree.ParseText(text, _language, file);
}
