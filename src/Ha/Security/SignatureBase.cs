using System.Text;

namespace Ha.Security;

/// <summary>The text that is signed (RFC 9421 section 2.5): a line for each component, and one for the parameters.</summary>
internal static class SignatureBase
{
    /// <param name="parameters">Inner list of covered components with its parameters, as in <c>Signature-Input</c>.</param>
    /// <param name="components">In the list's order: serialised identifier, canonicalised value.</param>
    /// <returns>Null when a value is not ASCII or could forge a line of its own.</returns>
    public static byte[]? Build(string parameters, params ReadOnlySpan<(string Identifier, string Value)> components)
    {
        var text = new StringBuilder();
        foreach (var (identifier, value) in components)
        {
            if (!Ascii.IsValid(value) || value.AsSpan().ContainsAny('\r', '\n'))
            {
                return null;
            }

            text.Append(identifier).Append(": ").Append(value).Append('\n');
        }

        return Encoding.ASCII.GetBytes(text.Append("\"@signature-params\": ").Append(parameters).ToString());
    }
}
