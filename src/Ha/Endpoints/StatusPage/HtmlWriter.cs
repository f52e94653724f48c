using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;

namespace Ha.Endpoints.StatusPage;

/// <summary>
/// Builds HTML from interpolated strings: what stands in the source is markup, what is filled in is always encoded.
/// <see cref="AddAsset"/> is the only way round it, so a node id cannot become a tag. Not thread-safe.
/// </summary>
internal sealed class HtmlWriter
{
    private readonly StringBuilder _text = new(8192);

    /// <summary>Everything was written while the argument was built.</summary>
    [SuppressMessage("Performance", "CA1822", Justification = "The compiler hands this instance to the argument.")]
    public void Add([InterpolatedStringHandlerArgument("")] ref Markup markup) => _ = markup;

    /// <summary>Adds one of <see cref="StatusAssets"/> as it is.</summary>
    public void AddAsset(string constant) => _text.Append(constant);

    public override string ToString() => _text.ToString();

    [InterpolatedStringHandler]
    public readonly ref struct Markup
    {
        private readonly StringBuilder _text;

        public Markup(int literalLength, int formattedCount, HtmlWriter writer)
        {
            _text = writer._text;
            _text.EnsureCapacity(_text.Length + literalLength + 16 * formattedCount);
        }

        public void AppendLiteral(string markup) => _text.Append(markup);

        public void AppendFormatted(string? text) => _text.Append(HtmlEncoder.Default.Encode(text ?? ""));

        public void AppendFormatted(long number) => _text.Append(CultureInfo.InvariantCulture, $"{number}");
    }
}
