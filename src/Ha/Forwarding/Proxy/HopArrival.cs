using Ha.Http;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Ha.Forwarding.Proxy;

/// <summary>
/// Receives what a node has forwarded, before anything of the application runs: its connection is not its caller's, and
/// what this node itself had forwarded is answered 508. Any later would be too late: a cache that lets one request per key
/// through lets the copy wait for the original, which waits for the copy.
/// </summary>
/// <param name="next">The application.</param>
/// <param name="ownMark">This node's id as it stands in <see cref="HaHeaders.ForwardedBy"/>.</param>
/// <param name="metrics">Counts a loop as a refusal.</param>
/// <param name="reports">Tells the log of it.</param>
internal sealed class HopArrival(RequestDelegate next, string ownMark, HaMetrics metrics, ForwardingReports reports)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (context.Request.Headers.TryGetValue(HaHeaders.ForwardedBy, out var marks))
        {
            if (Names(marks, ownMark))
            {
                reports.Loop();
                if (WriteMethods.Contains(context.Request.Method))
                {
                    metrics.Write(WriteOutcome.Refused, TimeSpan.Zero);
                }

                return Refusals.Loop.WriteAsync(context);
            }

            HopConnection.Leave(context);
        }

        return next(context);
    }

    /// <summary>True when one of the marks, in any number of headers, is <paramref name="ownMark"/>.</summary>
    public static bool Names(StringValues marks, string ownMark)
    {
        var text = marks.ToString().AsSpan();
        foreach (var part in text.Split(','))
        {
            if (text[part].Trim().SequenceEqual(ownMark))
            {
                return true;
            }
        }

        return false;
    }
}
