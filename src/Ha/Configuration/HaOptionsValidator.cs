using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Ha.Configuration;

/// <summary>
/// Completes the options (files read, URLs normalised, own URL taken out of the peers) and checks them, each value
/// and their relations. All problems become one message, because a person fixes settings in one go.
/// </summary>
internal sealed class HaOptionsValidator(IOptions<HostOptions>? host = null) : IValidateOptions<HaOptions>
{
    public ValidateOptionsResult Validate(string? name, HaOptions options)
    {
        ThrowIfInvalid(options, host?.Value.ShutdownTimeout);
        return ValidateOptionsResult.Success;
    }

    /// <exception cref="OptionsValidationException">Something is wrong; the message says what and how to mend it.</exception>
    public static void ThrowIfInvalid(HaOptions options, TimeSpan? shutdownTimeout = null)
    {
        var problems = Check(options, shutdownTimeout);
        if (problems.Count > 0)
        {
            throw new InvalidHaOptionsException(problems);
        }
    }

    /// <summary>
    /// Completes <paramref name="options"/> and returns every problem; calling it again changes nothing. None while the
    /// plugin is off.
    /// </summary>
    public static IReadOnlyList<string> Check(HaOptions options, TimeSpan? shutdownTimeout = null)
    {
        // Nothing of it is used then: whatever else has a variable that looks like ours must not keep it from starting.
        if (!options.IsActive)
        {
            return [];
        }

        SecretFiles.ReadInto(options);
        List<string> problems = [.. KeyNames.Mistyped(options.KeysFound), .. options.Malformed];
        TimingRules.Check(options, problems);
        ChoiceRules.Check(options, problems);
        NameRules.Check(options, problems);
        MemberRules.Check(options, problems);
        SecretRules.Check(options, problems);
        KeyRules.Build(options, options.ClusterSecrets, options.NodeKey, problems);
        TlsRules.Check(options, problems);
        TimingRules.CheckShutdown(options, shutdownTimeout, problems);
        return problems;
    }
}
