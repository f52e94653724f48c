using System.Buffers;
using Grpc.Core;

namespace Ha.Grpc.Client.Repeating;

/// <summary>A message as bytes and back, by the marshaller of its method.</summary>
internal static class KeptMessage
{
    public static byte[] Of<T>(Marshaller<T> marshaller, T message)
    {
        var context = new Written();
        marshaller.ContextualSerializer(message, context);
        return context.Bytes;
    }

    public static T Read<T>(Marshaller<T> marshaller, byte[] bytes) => marshaller.ContextualDeserializer(new Kept(bytes));

    private sealed class Written : SerializationContext
    {
        private readonly ArrayBufferWriter<byte> _buffer = new();
        private byte[]? _payload;

        public byte[] Bytes => _payload ?? _buffer.WrittenSpan.ToArray();

        public override void Complete(byte[] payload) => _payload = payload;

        public override void Complete()
        {
            // What was written is all there is.
        }

        public override IBufferWriter<byte> GetBufferWriter() => _buffer;

        public override void SetPayloadLength(int payloadLength)
        {
            // Grows by itself.
        }
    }

    private sealed class Kept(byte[] bytes) : DeserializationContext
    {
        public override int PayloadLength => bytes.Length;

        public override byte[] PayloadAsNewBuffer() => [.. bytes];

        public override ReadOnlySequence<byte> PayloadAsReadOnlySequence() => new(bytes);
    }
}
