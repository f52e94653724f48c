using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Ha.Hosting;

/// <summary>
/// Compiles this assembly before its code is needed. Most of what a handover runs has never run before in that process,
/// and to compile it then takes several times as long as the handover. In the quarantine after a start nobody waits.
/// </summary>
internal static class EarlyCompilation
{
    private const BindingFlags Declared =
        BindingFlags.DeclaredOnly | BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;

    private static int _started;

    /// <summary>In the background, once per process. Takes about a quarter of a second of one core.</summary>
    /// <param name="rehearse">Runs what can be run ahead, afterwards.</param>
    public static void Start(Func<Task> rehearse)
    {
        if (Interlocked.Exchange(ref _started, 1) != 0)
        {
            return;
        }

        var thread = new Thread(() => Run(rehearse))
        {
            IsBackground = true,
            Name = "Ha early compilation",
            Priority = ThreadPriority.BelowNormal,
        };
        thread.Start();
    }

    private static void Run(Func<Task> rehearse)
    {
        try
        {
            if (RuntimeFeature.IsDynamicCodeCompiled)
            {
                CompileAll();
            }

            rehearse().GetAwaiter().GetResult();
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // Saves time and nothing else. What cannot be compiled is found out by whoever calls it.
        }
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "What was trimmed away needs no compiling.")]
    private static void CompileAll() => Array.ForEach(typeof(EarlyCompilation).Assembly.GetTypes(), Compile);

    /// <summary>Generic code is left out, it is compiled for each use; so is what has no code, such as a delegate's members.</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "What was trimmed away needs no compiling.")]
    internal static void Compile(Type type)
    {
        if (type.ContainsGenericParameters)
        {
            return;
        }

        foreach (var method in type.GetMethods(Declared).Concat<MethodBase>(type.GetConstructors(Declared)))
        {
            if (!method.IsAbstract && !method.ContainsGenericParameters && (method.MethodImplementationFlags & MethodImplAttributes.CodeTypeMask) == MethodImplAttributes.IL)
            {
                // A virtual method has no entry point before somebody asks for one, and until then to prepare it does nothing.
                _ = method.MethodHandle.GetFunctionPointer();
                RuntimeHelpers.PrepareMethod(method.MethodHandle);
            }
        }
    }
}
