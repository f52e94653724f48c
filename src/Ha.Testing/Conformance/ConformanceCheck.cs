namespace Ha.Testing.Conformance;

/// <param name="Name">A sentence that is true of a store that passes.</param>
/// <param name="Run">Throws <see cref="ConformanceFault"/> where it is not.</param>
internal sealed record ConformanceCheck(string Name, Func<ConformanceRoom, Task> Run);

/// <summary>What was expected, and what was there instead.</summary>
internal sealed class ConformanceFault(string message) : Exception(message);
