using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Ha.Leadership;

namespace Ha.Testing.Virtual;

/// <summary>
/// Chances that are the same again for the same seed: the hash of seed, node, its start's number and how often it has asked.
/// <see cref="Random"/> with a seed may give others in another version of .NET.
/// </summary>
internal sealed class HashedChances(int seed)
{
    private int _starts;

    public Surroundings Of(TestNode node)
    {
        var prefix = Encoding.UTF8.GetBytes($"{seed}/{node.Id}/{Interlocked.Increment(ref _starts)}/");
        long asked = 0;
        return new Surroundings
        {
            NewRandom = () => new Guid(Next().AsSpan(0, 16)),
            Jitter = () => (BinaryPrimitives.ReadUInt64LittleEndian(Next()) >> 11) * (1.0 / (1UL << 53)),
        };

        byte[] Next()
        {
            var number = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(number, Interlocked.Increment(ref asked));
            return SHA256.HashData([.. prefix, .. number]);
        }
    }
}
