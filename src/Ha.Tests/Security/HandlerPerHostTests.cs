using System.Collections.Concurrent;
using Ha.Security;
using Ha.Tests.Forwarding;

namespace Ha.Tests.Security;

public sealed class HandlerPerHostTests : IDisposable
{
    private readonly ConcurrentDictionary<(string Host, int Port), object> _versions = new();
    private readonly ManualTime _time = new();
    private readonly HandlerPerHost _handler;
    private readonly HttpMessageInvoker _client;
    private int _made;
    private int _disposed;

    public HandlerPerHostTests()
    {
        _handler = new HandlerPerHost((host, port) => _versions.GetOrAdd((host, port), static _ => new object()), () => new Numbered(this), _time);
        _client = new HttpMessageInvoker(_handler);
    }

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task A_change_at_one_host_leaves_the_others_their_connections()
    {
        Assert.Equal((1, 2, 3), (await AskAsync("http://a"), await AskAsync("http://b"), await AskAsync("http://b:81")));
        Assert.Equal((1, 2, 3), (await AskAsync("http://a/notes"), await AskAsync("http://B:80"), await AskAsync("http://b:81")));

        _versions[("b", 80)] = new object();

        Assert.Equal((1, 4, 3), (await AskAsync("http://a"), await AskAsync("http://b"), await AskAsync("http://b:81")));
    }

    [Fact]
    public async Task Hosts_that_nobody_calls_for_ten_minutes_are_forgotten()
    {
        await AskAsync("http://a");
        await AskAsync("http://b");
        _time.Advance(TimeSpan.FromMinutes(10.1));
        await AskAsync("http://b");

        await AskAsync("http://c");

        Assert.Equal(2, _handler.Count);
        Assert.Equal((2, 4), (await AskAsync("http://b"), await AskAsync("http://a")));
    }

    [Fact]
    public async Task All_end_with_it()
    {
        await AskAsync("http://a");
        await AskAsync("http://b");
        _client.Dispose();
        Assert.Equal(2, _disposed);
    }

    private async Task<int> AskAsync(string url)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(url));
        using var answer = await _client.SendAsync(request, CancellationToken.None);
        return (int)answer.StatusCode - 200;
    }

    private sealed class Numbered(HandlerPerHostTests test) : HttpMessageHandler
    {
        private readonly int _number = ++test._made;

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage((System.Net.HttpStatusCode)(200 + _number)));

        protected override void Dispose(bool disposing)
        {
            test._disposed++;
            base.Dispose(disposing);
        }
    }
}
