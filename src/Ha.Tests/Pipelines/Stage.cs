namespace Ha.Tests.Pipelines;

/// <summary>What an application puts into its pipeline.</summary>
internal enum StageKind
{
    /// <summary><c>UseHa()</c>.</summary>
    Ha,

    /// <summary><c>UseExceptionHandler("/error")</c>.</summary>
    ExceptionPath,

    /// <summary><c>UseExceptionHandler</c> with a pipeline of its own.</summary>
    ExceptionLambda,

    /// <summary><c>UseExceptionHandler()</c> on the services of <c>AddProblemDetails</c>.</summary>
    ExceptionProblem,

    DeveloperPage,
    StatusPages,

    /// <summary><c>UseStatusCodePagesWithReExecute("/error")</c>.</summary>
    StatusReExecute,

    Timeouts,
    Decompression,
    Antiforgery,
    ResponseCaching,
    OutputCache,
    Compression,
    Routing,
    ForwardedHeaders,

    /// <summary><c>UsePathBase("/base")</c>.</summary>
    PathBase,

    Cors,

    /// <summary>Puts a buffer into the place of <c>Response.Body</c> and copies it out afterwards.</summary>
    SwapBody,

    /// <summary><c>EnableBuffering</c>, reads the body, rewinds it.</summary>
    ReadAndRewind,

    /// <summary>Catches what is not for <c>UseHa</c> and answers 500.</summary>
    CatchAll,

    /// <summary>Sets a header in <c>OnStarting</c>.</summary>
    LateHeader,

    /// <summary><c>Map("/api")</c>: what follows stands in the branch.</summary>
    Map,

    /// <summary><c>UseWhen</c> for requests with the header <see cref="CaseHeaders.Branch"/>, with stages of its own.</summary>
    When,
}

/// <summary>One place in a pipeline.</summary>
/// <param name="Kind">What stands there.</param>
/// <param name="Inner">What stands in its branch, for <see cref="StageKind.When"/>.</param>
internal sealed record Stage(StageKind Kind, Stage[] Inner)
{
    public Stage(StageKind kind)
        : this(kind, [])
    {
    }

    public override string ToString() => Inner.Length == 0 ? $"{Kind}" : $"{Kind}({string.Join(" ", Inner.Select(s => s.ToString()))})";
}

/// <summary>The headers by which the client, the handlers and the checks of one case know each other's messages.</summary>
internal static class CaseHeaders
{
    /// <summary>Request: which plan of which case it is.</summary>
    public const string Id = "X-Case-Id";

    /// <summary>Request: takes the branch of <see cref="StageKind.When"/>.</summary>
    public const string Branch = "X-Case-Branch";

    /// <summary>Answer: the id, the run that wrote it, and which part of <see cref="Noise"/> its body is.</summary>
    public const string Answer = "X-Case-Answer";
}

/// <summary>Bytes that look like nothing else, shared by all cases: a body is a slice, named by offset and length.</summary>
internal static class Noise
{
    public const int Length = 1 << 20;

    private static readonly byte[] _bytes = Make();

    public static ReadOnlyMemory<byte> Slice(int offset, int length) => _bytes.AsMemory(offset, length);

    // Eight letters out of sixteen: gzip makes it smaller, so that a body is not the same length in both forms.
    private static byte[] Make()
    {
        var bytes = new byte[Length];
        new Random(42).NextBytes(bytes);
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)('a' + (bytes[i] & 15));
        }

        return bytes;
    }
}
