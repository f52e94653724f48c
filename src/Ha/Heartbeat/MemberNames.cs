using System.Text;
using System.Text.Json;

namespace Ha.Heartbeat;

/// <summary>The member names of one JSON object; a member is known by its place in the list.</summary>
internal sealed class MemberNames
{
    private readonly byte[][] _utf8;

    /// <param name="optional">How many at the end of <paramref name="names"/> may be absent.</param>
    /// <param name="names">In the order in which they are written.</param>
    public MemberNames(int optional, params string[] names)
    {
        Names = names;
        _utf8 = [.. names.Select(Encoding.ASCII.GetBytes)];
        Openings = [.. names.Select((name, at) => Encoding.ASCII.GetBytes($"{(at == 0 ? '{' : ',')}\"{name}\":"))];
        Required = (1u << (names.Length - optional)) - 1;
    }

    public IReadOnlyList<string> Names { get; }

    /// <summary>What stands before each value when the members come in order and without white space.</summary>
    public byte[][] Openings { get; }

    /// <summary>One bit per member that must be there.</summary>
    public uint Required { get; }

    /// <param name="json">Stands on a property name.</param>
    /// <param name="expected">Tried first: our own messages come in order.</param>
    /// <returns>The member's place, or -1 when it is unknown.</returns>
    public int Find(ref Utf8JsonReader json, int expected)
    {
        for (var i = 0; i < _utf8.Length; i++)
        {
            var member = (expected + i) % _utf8.Length;
            if (json.ValueTextEquals(_utf8[member]))
            {
                return member;
            }
        }

        return -1;
    }
}
