using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Testing.Virtual;

/// <summary>Carries one node's heartbeats through the network in memory. Everything but sockets is what ships.</summary>
/// <param name="self">The sender.</param>
/// <param name="network">What lies between.</param>
/// <param name="find">The process at a host's name as it is now; null: there never was one.</param>
internal sealed class NodeHandler(TestProcess self, Network network, Func<string, TestProcess?> find) : HttpMessageHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var body = await request.Content!.ReadAsByteArrayAsync(cancellationToken);

        // Its continuations run where it is completed: in the moment of virtual time at which the answer arrives.
        var answer = new TaskCompletionSource<HttpResponseMessage>();
        if (find(request.RequestUri!.Host) is { } to)
        {
            network.Send(self.Id, to.Id, to.Life.IsDead ? null : to.Life, () => Arrive(request, body, to, answer));
        }

        using var given = cancellationToken.UnsafeRegister(
            static (state, token) => ((TaskCompletionSource<HttpResponseMessage>)state!).TrySetCanceled(token), answer);
        return await answer.Task;
    }

    private void Arrive(HttpRequestMessage request, byte[] body, TestProcess to, TaskCompletionSource<HttpResponseMessage> answer)
    {
        if (to.Life.IsDead)
        {
            var refused = new HttpRequestException(HttpRequestError.ConnectionError, "connection refused");
            network.Send(to.Id, self.Id, self.Life, () => answer.TrySetException(refused));
            return;
        }

        _ = AnswerAsync();

        async Task AnswerAsync()
        {
            var response = await HandleAsync(request, body, to.Heartbeat);
            network.Send(to.Id, self.Id, self.Life, () => answer.TrySetResult(response));
        }
    }

    private static async Task<HttpResponseMessage> HandleAsync(HttpRequestMessage request, byte[] requestBody, RequestDelegate heartbeat)
    {
        var context = new DefaultHttpContext();
        var body = new MemoryStream();
        context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(body));
        context.Request.Method = request.Method.Method;
        context.Request.Path = request.RequestUri!.AbsolutePath;
        foreach (var (name, values) in request.Headers.Concat(request.Content!.Headers))
        {
            context.Request.Headers[name] = values.ToArray();
        }

        context.Request.Body = new MemoryStream(requestBody);
        await heartbeat(context);
        await context.Response.Body.FlushAsync();
        var response = new HttpResponseMessage((HttpStatusCode)context.Response.StatusCode)
        {
            Content = new ByteArrayContent(body.ToArray()),
            RequestMessage = request,
        };
        foreach (var (name, values) in context.Response.Headers)
        {
            if (!response.Headers.TryAddWithoutValidation(name, values.ToArray()))
            {
                response.Content.Headers.TryAddWithoutValidation(name, values.ToArray());
            }
        }

        return response;
    }
}
