using System.Buffers;
using System.Text;

namespace Ha.Security;

/// <summary>
/// Builds a signature base (RFC 9421 section 2.5) in the caller's buffer. A value that does not fit, is not ASCII or
/// could forge a line of its own makes the base invalid instead of throwing.
/// </summary>
internal ref struct SignatureBase(Span<byte> buffer)
{
    /// <summary>Enough for the fixed components, the longest parameters and a request's signature.</summary>
    public const int MaxBytes = 1024;

    private readonly Span<byte> _buffer = buffer;
    private int _length;

    /// <summary>False once a value was refused; the base must then not be used.</summary>
    public bool Valid { get; private set; } = true;

    public readonly ReadOnlySpan<byte> Written => _buffer[.._length];

    /// <summary>Appends whole lines that are constants of this code.</summary>
    public void Lines(scoped ReadOnlySpan<byte> ascii)
    {
        if (!Valid || !ascii.TryCopyTo(_buffer[_length..]))
        {
            Valid = false;
            return;
        }

        _length += ascii.Length;
    }

    /// <param name="identifier">Serialised component identifier: quoted name and parameters.</param>
    /// <param name="value">Canonicalised value.</param>
    public void Component(scoped ReadOnlySpan<char> identifier, scoped ReadOnlySpan<char> value)
    {
        Append(identifier);
        Append(": ");
        Append(value);
        AppendNewLine();
    }

    /// <param name="parameters">Inner list of covered components with its parameters, as in <c>Signature-Input</c>.</param>
    public void SignatureParams(scoped ReadOnlySpan<char> parameters)
    {
        Append("\"@signature-params\": ");
        Append(parameters);
    }

    private void Append(scoped ReadOnlySpan<char> text)
    {
        if (!Valid || Ascii.FromUtf16(text, _buffer[_length..], out var written) != OperationStatus.Done ||
            _buffer.Slice(_length, written).ContainsAny((byte)'\r', (byte)'\n'))
        {
            Valid = false;
            return;
        }

        _length += written;
    }

    private void AppendNewLine()
    {
        if (!Valid || _length == _buffer.Length)
        {
            Valid = false;
            return;
        }

        _buffer[_length++] = (byte)'\n';
    }
}
