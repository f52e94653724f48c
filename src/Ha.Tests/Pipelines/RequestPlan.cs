using System.Globalization;
using Ha.Http;

namespace Ha.Tests.Pipelines;

/// <summary>What a handler does once it has read the body.</summary>
internal enum Act
{
    Answer,
    NoContent,
    NotFoundEmpty,

    /// <summary>Commits, then an empty 500.</summary>
    ErrorEmpty,

    Conflict,
    ThrowBeforeCommit,
    CommitThenThrow,
    NotLeader,
    OutcomeUnknown,

    /// <summary>Passes <see cref="IHaFeature.LeaseLost"/> into its commit, and the lease is lost.</summary>
    LeaseLostInCommit,

    StartThenThrow,

    /// <summary>Commits, then waits until the request is cancelled.</summary>
    WaitForCancellation,

    /// <summary>Answers, and sets <c>X-Base-Not-Executed</c> itself.</summary>
    MarksItself,
}

internal enum Reading
{
    Nothing,
    Half,
    Everything,
    Form,
}

/// <summary>How <see cref="NotLeaderException"/> is thrown.</summary>
internal enum Wrapping
{
    Plain,
    Wrapped,
    Aggregate,
}

/// <summary>Which runs of a handler throw <see cref="NotLeaderException"/>.</summary>
internal enum Refuses
{
    Always,
    FirstRun,
    OnFirstNode,
}

internal enum Writing
{
    Stream,
    Pipe,
    SmallSpans,
}

internal enum Framing
{
    Length,
    Chunked,
    ExpectLength,
    ExpectChunked,
}

internal enum Key
{
    None,
    One,
    Blank,
    Two,
}

/// <summary>One request and what its handler does with it.</summary>
internal sealed record RequestPlan
{
    public required string Id { get; init; }

    public required string Method { get; init; }

    /// <summary>Index of the node it is sent to.</summary>
    public int Entry { get; init; }

    public NodeChoice Choice { get; init; }

    public bool HonorsKey { get; init; }

    public bool ShortTimeout { get; init; }

    /// <summary>True: the endpoint validates antiforgery tokens, and the form holds a valid one.</summary>
    public bool Antiforgery { get; init; }

    public bool TakesBranch { get; init; }

    public Key Key { get; init; }

    public Framing Framing { get; init; }

    public int BodyOffset { get; init; }

    public int BodyLength { get; init; }

    public int SentIn { get; init; } = 1;

    public bool Gzip { get; init; }

    public bool Form { get; init; }

    public bool Close { get; init; }

    public bool AcceptsGzip { get; init; }

    public bool WantsTrailers { get; init; }

    /// <summary>True: gone with half of the body sent.</summary>
    public bool LeavesInBody { get; init; }

    public Reading Reading { get; init; }

    public bool ChecksLease { get; init; }

    public Act Act { get; init; }

    public Wrapping Wrapping { get; init; }

    public Refuses Refuses { get; init; }

    /// <summary>For acts that may or may not have committed.</summary>
    public bool Commits { get; init; } = true;

    public int AnswerOffset { get; init; }

    public int AnswerLength { get; init; }

    public int AnswerPieces { get; init; } = 1;

    public bool AnswerHasLength { get; init; }

    public bool Flushes { get; init; }

    public Writing Writing { get; init; }

    public bool HasBody => BodyLength > 0 || Form;

    public bool Expects => Framing is Framing.ExpectLength or Framing.ExpectChunked;

    public override string ToString()
    {
        var body = HasBody
            ? string.Create(CultureInfo.InvariantCulture, $"{(Form ? "form of " : "")}{BodyLength} bytes, {Framing}, in {SentIn}{(Gzip ? ", gzip" : "")}{(Antiforgery ? ", antiforgery" : "")}{(LeavesInBody ? ", left half-way" : "")}")
            : "no body";
        var marks = string.Concat(
            Choice == NodeChoice.ByMethod ? "" : $", {Choice}",
            HonorsKey ? ", honours keys" : "",
            Key == Key.None ? "" : $", key {Key}",
            ShortTimeout ? ", short timeout" : "",
            TakesBranch ? ", takes the branch" : "",
            Close ? ", close" : "",
            AcceptsGzip ? ", accepts gzip" : "",
            WantsTrailers ? ", TE: trailers" : "");
        var act = Act == Act.NotLeader ? $"{Act} ({Wrapping}, {Refuses})" : $"{Act}{(Commits ? "" : " without commit")}";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Method} to node {Entry} with {body}{marks}; reads {Reading}{(ChecksLease ? ", checks the lease" : "")}, {act}, {AnswerLength} bytes in {AnswerPieces} by {Writing}{(AnswerHasLength ? " with length" : "")}{(Flushes ? " flushed" : "")}");
    }
}
