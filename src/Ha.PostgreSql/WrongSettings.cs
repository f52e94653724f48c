using Microsoft.Extensions.Options;

namespace Ha;

/// <summary>Gathers what is wrong with a delegate's settings, for the one message that names every problem.</summary>
internal sealed class WrongSettings
{
    private readonly List<string> _problems = [];

    /// <returns>Null: it was refused.</returns>
    public T? Try<T>(Func<T> read)
        where T : class
    {
        try
        {
            return read();
        }
        catch (ArgumentException refusal)
        {
            // Who reads it knows settings, not parameters.
            var ending = $" (Parameter '{refusal.ParamName}')";
            var words = refusal.Message;
            _problems.Add(words.EndsWith(ending, StringComparison.Ordinal) ? words[..^ending.Length] : words);
            return null;
        }
    }

    /// <exception cref="OptionsValidationException">Something was refused.</exception>
    public void ThrowIfAny()
    {
        if (_problems.Count > 0)
        {
            throw new OptionsValidationException(Options.DefaultName, typeof(HaOptions), _problems);
        }
    }

    /// <exception cref="OptionsValidationException">It was refused.</exception>
    public static T Checked<T>(Func<T> read)
        where T : class
    {
        var wrong = new WrongSettings();
        var value = wrong.Try(read);
        wrong.ThrowIfAny();
        return value!;
    }
}
