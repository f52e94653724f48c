using System.IO.Compression;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Pipelines;

/// <summary>Reads a request's body in the handler and compares it with what the client has sent.</summary>
internal static class BodyReader
{
    public const string Field = "text";

    public static async Task ReadAsync(HttpContext context, RequestPlan plan, Run run)
    {
        switch (plan.Reading)
        {
            case Reading.Form:
                var form = await context.Request.ReadFormAsync(context.RequestAborted);
                run.BodyWasRight = form[Field].ToString() == FormText(plan);
                break;
            case Reading.Everything:
                using (var all = new MemoryStream())
                {
                    await context.Request.Body.CopyToAsync(all, context.RequestAborted);
                    run.BodyWasRight = IsWhole(plan, all.GetBuffer().AsSpan(0, (int)all.Length));
                }

                break;
            case Reading.Half:
                var part = new byte[plan.BodyLength / 2];
                var read = await context.Request.Body.ReadAtLeastAsync(part, part.Length, throwOnEndOfStream: false, context.RequestAborted);
                run.BodyWasRight = IsBeginning(plan, part.AsSpan(0, read), part.Length);
                break;
        }
    }

    public static string FormText(RequestPlan plan) => System.Text.Encoding.ASCII.GetString(Noise.Slice(plan.BodyOffset, plan.BodyLength).Span);

    /// <summary>What travels, before any framing.</summary>
    public static ReadOnlyMemory<byte> Sent(RequestPlan plan)
    {
        var plain = Noise.Slice(plan.BodyOffset, plan.BodyLength);
        if (!plan.Gzip)
        {
            return plain;
        }

        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(plain.Span);
        }

        return packed.ToArray();
    }

    // Whether something unpacked it before is the pipeline's business.
    private static bool IsWhole(RequestPlan plan, ReadOnlySpan<byte> read) =>
        read.SequenceEqual(Noise.Slice(plan.BodyOffset, plan.BodyLength).Span) || (plan.Gzip && read.SequenceEqual(Sent(plan).Span));

    private static bool IsBeginning(RequestPlan plan, ReadOnlySpan<byte> read, int wanted) =>
        (read.Length == wanted && read.SequenceEqual(Noise.Slice(plan.BodyOffset, wanted).Span))
        || (plan.Gzip && Sent(plan).Span is var packed && read.Length == Math.Min(wanted, packed.Length) && packed.StartsWith(read));
}
