using System.Globalization;
using Microsoft.Extensions.Options;

namespace Ha.Configuration;

/// <summary>
/// Stops the start. The host logs it and the runtime prints it as it dies, both by way of <see cref="ToString"/>:
/// the reader is an operator with a wrong variable, whom a stack trace only hides the message from.
/// </summary>
internal sealed class InvalidHaOptionsException(IReadOnlyList<string> problems)
    : OptionsValidationException(Options.DefaultName, typeof(HaOptions), problems)
{
    public override string Message { get; } = Render(problems);

    public override string ToString() => Message;

    private static string Render(IReadOnlyList<string> problems)
    {
        var head = problems.Count == 1
            ? "Ha cannot start, one setting is wrong:"
            : string.Create(CultureInfo.InvariantCulture, $"Ha cannot start, {problems.Count} settings are wrong:");
        return string.Join(Environment.NewLine + "  - ", problems.Prepend(head));
    }
}
