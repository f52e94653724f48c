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
    private readonly List<MetadataReference> _references;

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

        _trees["Usings.cs"] = Parse(Usings, "Usings.cs");
        string trusted = (string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!;
        _references =
        [
            .. trusted.Split(Path.PathSeparator)
                .Where(path => Path.GetFileName(path).StartsWith("System.", StringComparison.Ordinal) || Path.GetFileName(path) is "netstandard.dll" or "mscorlib.dll")
                .Select(path => MetadataReference.CreateFromFile(path)),
        ];
    }

    /// <summary>The mutant's assembly, or why there is none.</summary>
    public Assembly? Compile(Mutant mutant, out string? error)
    {
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
            trees[edit.File] = Parse(changed[edit.File], edit.File);
        }

        var compilation = CSharpCompilation.Create(
            "Mutant",
            trees.Values,
            _references,
            new CSharpCompilationOptions(
                OutputKind.DynamicallyLinkedLibrary,
                optimizationLevel: OptimizationLevel.Release,
                nullableContextOptions: NullableContextOptions.Disable,
                concurrentBuild: false));
        using var image = new MemoryStream();
        var emitted = compilation.Emit(image);
        if (!emitted.Success)
        {
            error = $"'{mutant.Name}' does not compile: "
                + string.Join("; ", emitted.Diagnostics.Where(d => d.Severity == DiagnosticSeverity.Error).Take(3));
            return null;
        }

        image.Position = 0;
        error = null;
        return new AssemblyLoadContext(mutant.Name, isCollectible: true).LoadFromStream(image);
    }

    private static SyntaxTree Parse(string text, string file) => CSharpSyntaxTree.ParseText(text, _language, file);
}
