using Ha.Security;

namespace Ha.Tests.Fuzzing;

/// <summary>Signs with one key and says that it was another.</summary>
internal sealed class Forger(HaKey own, string keyId, string algorithm) : HaKey(keyId, algorithm)
{
    public override byte[] Sign(ReadOnlySpan<byte> data) => own.Sign(data);

    public override bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature) => own.Verify(data, signature);
}
