using Ha.Security;

namespace Ha.Tests.Fuzzing;

/// <summary>Signs with one key and says that it was another.</summary>
internal sealed class Forger(HaKey own, string keyId, string algorithm) : HaKey(keyId, algorithm, own.SignatureBytes)
{
    public override void Sign(ReadOnlySpan<byte> data, Span<byte> signature) => own.Sign(data, signature);

    public override bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature) => own.Verify(data, signature);
}
