using System.Globalization;
using System.Text;

namespace Ha.Tests.Pipelines;

/// <summary>When something happens in a request's life.</summary>
internal enum Moment
{
    BeforeSend,
    HandlerStarted,
    BodyRead,
    Committed,
    AnswerStarted,

    /// <summary>Some node holds it.</summary>
    Held,
}

/// <summary>What happens then.</summary>
internal enum Change
{
    /// <summary>The leader admits no more writes.</summary>
    Drain,

    /// <summary>The leader has lost its lease, and nobody leads.</summary>
    Lose,

    /// <summary>The other node leads, and both know.</summary>
    TakeOver,

    /// <summary>The other node leads, and the old leader knows of nobody.</summary>
    TakeOverInSilence,

    /// <summary>Whoever led last leads, in a new epoch.</summary>
    LeadAgain,

    /// <summary>The follower believes in a leader where nobody listens.</summary>
    DeadAddress,

    /// <summary>The follower believes in a leader that is itself.</summary>
    OwnAddress,

    ClientLeaves,
}

/// <param name="Request">Index of the request.</param>
/// <param name="Moment">When; once only.</param>
/// <param name="Change">What.</param>
internal sealed record Happening(int Request, Moment Moment, Change Change);

/// <summary>One generated case: a pipeline on two nodes, the requests that meet it, and what happens meanwhile.</summary>
internal sealed record PipelineCase
{
    public required int Seed { get; init; }

    public required Stage[] Stages { get; init; }

    public required RequestPlan[] Requests { get; init; }

    public required Happening[] Happenings { get; init; }

    public ForwardMode Mode { get; init; }

    public TimeSpan Hold { get; init; }

    public bool PublicInfo { get; init; } = true;

    /// <summary>Index of the node that leads at first.</summary>
    public int FirstLeader { get; init; }

    /// <summary>True: an <c>IExceptionHandler</c> that was registered before <c>AddHa()</c> handles whatever it gets.</summary>
    public bool HandlesExceptions { get; init; }

    /// <summary>The default policy of the timeouts middleware; null: none.</summary>
    public TimeSpan? DefaultTimeout { get; init; }

    /// <summary>True: HTTP/2 with prior knowledge. False: HTTP/1.1.</summary>
    public bool Http2 { get; init; }

    public IEnumerable<Stage> AllStages => Stages.SelectMany(stage => stage.Inner.Prepend(stage));

    public bool Has(StageKind kind) => AllStages.Any(stage => stage.Kind == kind);

    /// <summary>The part of the path that the stages from <paramref name="from"/> on take off.</summary>
    public string PathPrefix(int from = 0) => string.Concat(Stages.Skip(from).Select(stage => stage.Kind switch
    {
        StageKind.PathBase => "/base",
        StageKind.Map => "/api",
        _ => "",
    }));

    /// <summary>True when the timeouts middleware may end this request early.</summary>
    public bool TimesOut(RequestPlan plan) => Has(StageKind.Timeouts) && (DefaultTimeout is not null || plan.ShortTimeout);

    /// <summary>The case in words.</summary>
    public string Story()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"seed {Seed}: node {FirstLeader} leads, {Mode}, held for {Hold.TotalMilliseconds} ms, {(Http2 ? "HTTP/2" : "HTTP/1.1")}"
            + $"{(PublicInfo ? "" : ", public info off")}{(HandlesExceptions ? ", an exception handler of the application's own" : "")}"
            + $"{(DefaultTimeout is { } timeout ? $", default timeout {timeout.TotalMilliseconds} ms" : "")}");
        text.AppendLine(CultureInfo.InvariantCulture, $"  pipeline: {string.Join(" > ", Stages.Select(s => s.ToString()))} > application");
        for (var i = 0; i < Requests.Length; i++)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  request {i}: {Requests[i]}");
        }

        foreach (var happening in Happenings)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  request {happening.Request}, {happening.Moment}: {happening.Change}");
        }

        return text.ToString();
    }
}
