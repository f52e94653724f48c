using System.Runtime;
using System.Runtime.CompilerServices;
using Ha.Hosting;

namespace Ha.Tests.Hosting;

public sealed class EarlyCompilationTests
{
    [Fact]
    public void Code_that_was_compiled_early_is_not_compiled_when_it_first_runs()
    {
        EarlyCompilation.Compile(typeof(Prepared));
        Assert.Equal(0, CompiledBy(static () => Prepared.Answer()));
        Assert.Equal(1, CompiledBy(static () => Cold.Answer()));
    }

    [Fact]
    public void So_is_code_that_an_interface_is_implemented_by()
    {
        EarlyCompilation.Compile(typeof(PreparedService));
        var (prepared, cold) = (new PreparedService(), new ColdService());
        Assert.Equal(0, CompiledBy(() => prepared.Dispose()));
        Assert.Equal(1, CompiledBy(() => cold.Dispose()));
    }

    [Fact]
    public void All_of_the_library_can_be_compiled_early() =>
        Array.ForEach(typeof(EarlyCompilation).Assembly.GetTypes(), EarlyCompilation.Compile);

    /// <summary>How many methods this thread has to compile to run it, itself left out.</summary>
    private static long CompiledBy(Action run)
    {
        RuntimeHelpers.PrepareDelegate(run);
        var before = JitInfo.GetCompiledMethodCount(currentThread: true);
        run();
        return JitInfo.GetCompiledMethodCount(currentThread: true) - before;
    }

    private static class Prepared
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        public static int Answer() => Environment.ProcessId;
    }

    private sealed class PreparedService : IDisposable
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        public void Dispose() => _ = Environment.ProcessId;
    }

    private sealed class ColdService : IDisposable
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        public void Dispose() => _ = Environment.ProcessId;
    }

    private static class Cold
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        public static int Answer() => Environment.ProcessId;
    }
}
