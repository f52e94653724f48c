using System.Net;
using Ha.Cli.Cluster;

namespace Ha.Tests.Cli;

public class LoadRequestTests
{
    [Theory]
    [InlineData("""POST /notes {"text":"a b"}""", "POST", "/notes", """{"text":"a b"}""")]
    [InlineData("PUT  /a?b=c", "PUT", "/a?b=c", "")]
    public async Task It_is_a_method_a_target_and_a_body(string text, string method, string target, string json)
    {
        var load = LoadRequest.Parse(text);
        Assert.Equal((method, target), (load?.Method.Method, load?.Target));
        using var request = load!.To(new Uri("http://a/b"), "k");
        Assert.Equal("\"k\"", request.Headers.GetValues("Idempotency-Key").Single());
        Assert.Equal(json, await request.Content!.ReadAsStringAsync());
        Assert.Equal("application/json", request.Content.Headers.ContentType?.MediaType);
    }

    [Theory]
    [InlineData(200, false)]
    [InlineData(302, true)]
    [InlineData(400, true)]
    [InlineData(404, true)]
    [InlineData(405, true)]
    [InlineData(408, false)]
    [InlineData(409, false)]
    [InlineData(425, false)]
    [InlineData(429, false)]
    [InlineData(500, false)]
    [InlineData(503, false)]
    public void What_would_be_answered_again_and_again_is_not_asked_again(int status, bool final) =>
        Assert.Equal(final, WriteLoad.IsFinal((HttpStatusCode)status));

    [Theory]
    [InlineData("")]
    [InlineData("POST")]
    [InlineData("post /notes")]
    [InlineData("POST notes")]
    [InlineData("/notes POST")]
    public void Anything_else_is_refused(string text) => Assert.Null(LoadRequest.Parse(text));
}
