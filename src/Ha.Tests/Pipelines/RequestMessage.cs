using System.Globalization;
using System.Net;
using System.Text;

namespace Ha.Tests.Pipelines;

/// <summary>A plan's request as it goes out: the same headers and bytes over either version of HTTP.</summary>
internal sealed class RequestMessage
{
    public RequestMessage(PipelineCase drawn, int request, Antiforgery antiforgery)
    {
        Plan = drawn.Requests[request];
        Path = PipelineBuilder.Path(drawn, request);
        Headers.Add((CaseHeaders.Id, Plan.Id));
        AddWhen(Plan.TakesBranch, CaseHeaders.Branch, "yes");
        AddWhen(Plan.AcceptsGzip, "Accept-Encoding", "gzip");
        AddWhen(Plan.WantsTrailers, "TE", "trailers");
        AddWhen(Plan.Gzip, "Content-Encoding", "gzip");
        AddKeys();
        Body = BodyReader.Sent(Plan);
        if (Plan.Form)
        {
            Headers.Add(("Content-Type", "application/x-www-form-urlencoded"));
            Headers.Add(("Cookie", antiforgery.Cookie));
            Body = Encoding.ASCII.GetBytes(
                $"{BodyReader.Field}={BodyReader.FormText(Plan)}&{antiforgery.Field}={WebUtility.UrlEncode(antiforgery.Token)}");
        }
    }

    public RequestPlan Plan { get; }

    public string Path { get; }

    public List<(string Name, string Value)> Headers { get; } = [];

    public ReadOnlyMemory<byte> Body { get; }

    public bool Chunked => Plan.Framing is Framing.Chunked or Framing.ExpectChunked;

    /// <summary>The body in the pieces in which it is sent; half of them when the client leaves.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Pieces()
    {
        var end = Plan.LeavesInBody ? Body.Length / 2 : Body.Length;
        for (var i = 0; i < Plan.SentIn; i++)
        {
            var from = (int)((long)end * i / Plan.SentIn);
            var to = (int)((long)end * (i + 1) / Plan.SentIn);
            if (to > from)
            {
                yield return Body[from..to];
            }
        }
    }

    /// <summary>The head for HTTP/1.1.</summary>
    public byte[] Head(string host)
    {
        var head = new StringBuilder();
        head.Append(CultureInfo.InvariantCulture, $"{Plan.Method} {Path} HTTP/1.1\r\nHost: {host}\r\n");
        foreach (var (name, value) in Headers)
        {
            head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        }

        if (Chunked)
        {
            head.Append("Transfer-Encoding: chunked\r\n");
        }
        else if (Plan.Method != "GET")
        {
            head.Append(CultureInfo.InvariantCulture, $"Content-Length: {Body.Length}\r\n");
        }

        head.Append(Plan.Expects ? "Expect: 100-continue\r\n" : "").Append(Plan.Close ? "Connection: close\r\n" : "").Append("\r\n");
        return Encoding.ASCII.GetBytes(head.ToString());
    }

    private void AddKeys()
    {
        const string name = "Idempotency-Key";
        AddWhen(Plan.Key is Key.One or Key.Two, name, $"\"{Plan.Id}\"");
        AddWhen(Plan.Key == Key.Two, name, "\"another\"");
        AddWhen(Plan.Key == Key.Blank, name, "");
    }

    private void AddWhen(bool wanted, string name, string value)
    {
        if (wanted)
        {
            Headers.Add((name, value));
        }
    }
}

/// <summary>A valid antiforgery token for nobody in particular.</summary>
internal sealed record Antiforgery(string Cookie, string Field, string Token);
