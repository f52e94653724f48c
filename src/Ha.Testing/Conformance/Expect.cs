using System.Runtime.CompilerServices;

namespace Ha.Testing.Conformance;

/// <summary>What checks say of an answer, with the words of the fault.</summary>
internal static class Expect
{
    public static void That(bool condition, string fault)
    {
        if (!condition)
        {
            throw new ConformanceFault(fault);
        }
    }

    public static void Equal<T>(T expected, T actual, string what) =>
        That(EqualityComparer<T>.Default.Equals(expected, actual), $"expected {what} to be {Say(expected)}, but it is {Say(actual)}");

    /// <summary>The answer says that this call wrote the record, and shows it.</summary>
    /// <returns>The version of this writing.</returns>
    public static string Written(LeaseAnswer answer, LeaseRecord record, string what)
    {
        That(answer.Written, $"expected {what} to be written, but it was refused; the record now: {Say(answer.Record)}, version {Say(answer.Version)}");
        Equal(record, answer.Record, $"the record in the answer to {what}");
        return Versioned(answer, what);
    }

    /// <summary>The answer says that nothing was written, and shows the record that is there instead.</summary>
    public static void Refused(LeaseAnswer answer, LeaseRecord there, string version, string what)
    {
        That(!answer.Written, $"expected {what} to be refused, but it was written");
        Equal(there, answer.Record, $"the record in the answer to {what}");
        Equal(version, answer.Version, $"the version in the answer to {what}");
    }

    /// <summary>A look at the record finds this writing.</summary>
    public static async Task HoldsAsync(ILeaseStore client, LeaseRecord record, string version, [CallerArgumentExpression(nameof(record))] string what = "")
    {
        var answer = await client.ReadAsync(Sample.Member("reader"), CancellationToken.None);
        That(!answer.Written, "expected an answer to a read not to say Written");
        Equal(record, answer.Record, $"the record that is read ({what})");
        Equal(version, answer.Version, $"the version that is read ({what})");
    }

    private static string Versioned(LeaseAnswer answer, string what)
    {
        That(answer.Version is { Length: > 0 }, $"expected a version in the answer to {what}");
        return answer.Version!;
    }

    private static string Say<T>(T value) => value switch
    {
        null => "null",
        string text => $"'{text}'",
        LeaseRecord r => $"{{ holder {Say(r.HolderId)}, incarnation {r.Incarnation}, epoch {r.Epoch}, duration {r.Duration.TotalMilliseconds} ms, "
            + $"URL '{r.Url}', target '{r.Target}', successor {Say(r.Successor)} }}",
        _ => $"{value}",
    };
}
