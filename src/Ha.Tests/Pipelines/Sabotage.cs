using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Pipelines;

/// <summary>A fault put in on purpose, to see the checks find it. This one is none.</summary>
internal class Sabotage
{
    public static readonly Sabotage None = new();

    /// <summary>Puts the fault around the whole pipeline of a node.</summary>
    public virtual RequestDelegate Around(PipelineNode node, RequestDelegate pipeline) => pipeline;

    /// <summary>Puts the fault around the handler.</summary>
    public virtual Task HandleAsync(CaseHandler handler, HttpContext context, int node) => handler.RunAsync(context, node);
}
