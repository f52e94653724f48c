using System.Diagnostics.Metrics;
using System.Net;
using Ha.Heartbeat;
using Microsoft.AspNetCore.Builder;

namespace Ha.Tests.Heartbeat;

public class UnheardMetersTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Heartbeats_stay_out_of_the_metrics_of_HttpClient(bool heartbeat)
    {
        await using var server = await Forwarding.TestNode.LeaderAsync(app => app.MapPost("/_ha/heartbeat", () => "x"));
        var seen = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name.StartsWith("http.client.", StringComparison.Ordinal))
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) => Count(tags));
        listener.SetMeasurementEventCallback<double>((_, _, tags, _) => Count(tags));
        listener.Start();

        using (var client = new HttpMessageInvoker(heartbeat ? PeerHandler.Create(TimeSpan.FromSeconds(20)) : new SocketsHttpHandler()))
        using (var request = new HttpRequestMessage(HttpMethod.Post, server.Url + "/_ha/heartbeat") { Content = new ByteArrayContent([]) })
        using (var answer = await client.SendAsync(request, CancellationToken.None))
        {
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        Assert.Equal(heartbeat, seen == 0);

        // Other tests of this process have clients too.
        void Count(ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            foreach (var (name, value) in tags)
            {
                if (name == "server.port" && value is int port && port == server.Port)
                {
                    Interlocked.Increment(ref seen);
                }
            }
        }
    }
}
