using System.Net;
using Ha.Testing;
using Ha.Tests.Configuration;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Moq;

namespace Ha.Tests.Hosting;

public class HaLifecycleServiceTests
{
    [Theory]
    [InlineData("BASE_PEERS", "http://b:1", "1401 1403")]
    [InlineData("BASE_QUORUM", "off", "1401 1404")]
    [InlineData("BASE_INSECURE", "true", "1401 1405")]
    [InlineData("BASE_STATIC_LEADER", "http://b:1", "1423 1402")]
    [InlineData("BASE_PEERS", "http://a:1", "1401")]
    [InlineData("BASE_NODE_ID", "n1", "1401")]
    public async Task A_start_says_what_it_is_and_what_is_risky(string key, string value, string expected)
    {
        using var logs = new RecordedLogs();
        await using var app = Create(Settings.Cluster((key, value)), logs);
        await app.StartAsync();
        Assert.Equal(expected, string.Join(' ', logs.Entries.Where(e => e.Id is >= 1400 and < 1500).Select(e => e.Id)));
    }

    [Fact]
    public async Task Two_members_are_told_of_the_risk_and_of_the_witness()
    {
        using var logs = new RecordedLogs();
        await using var app = Create(Settings.Cluster(("BASE_PEERS", "http://b:1")), logs);
        await app.StartAsync();
        var (level, _, text) = Assert.Single(logs.Entries, e => e.Id == 1403);
        Assert.Equal(LogLevel.Warning, level);
        Assert.Contains("both lead", text, StringComparison.Ordinal);
        Assert.Contains("BASE_WITNESS=true", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stop_releases_the_writes_that_wait_for_a_leader()
    {
        using var logs = new RecordedLogs();
        await using var app = Create(Settings.Cluster(("BASE_WRITE_HOLD", "10m")), logs);
        app.MapPost("/notes", () => "x");
        await app.StartAsync();
        using var client = app.GetTestClient();
        var held = client.PostAsync(new Uri("/notes", UriKind.Relative), new StringContent("x"));
        var hold = app.Services.GetRequiredService<Ha.Forwarding.ForwardingServices>().Hold;
        await Eventually.True(() => hold.Held == 1);
        await app.StopAsync();
        using var answer = await held;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
    }

    [Fact]
    public async Task Ready_says_draining_when_a_node_with_a_fixed_leader_stops()
    {
        using var logs = new RecordedLogs();
        await using var app = Create([.. TestApp.FixedFollower, ("BASE_SHUTDOWN_DELAY", "2s")], logs);
        await app.StartAsync();
        using var client = app.GetTestClient();
        var stopping = app.StopAsync();
        await Eventually.True(async () => (await client.GetAsync(new Uri("/_ha/healthz/ready", UriKind.Relative))).StatusCode == HttpStatusCode.ServiceUnavailable);
        Assert.False(stopping.IsCompleted);
        await stopping;
    }

    /// <summary>SIGTERM comes as a stop of the application: the host is some milliseconds later, more where its code is cold.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_handoff_begins_once_and_with_the_application_s_stop(bool signal)
    {
        using var logs = new RecordedLogs();
        var leadership = new FakeLeadership("node");
        var control = new Mock<ILeadershipControl>();
        control.Setup(c => c.View()).Returns(((ILeadershipControl)leadership).View());
        var provider = new Mock<ILeaderProvider>();
        provider.Setup(p => p.Current).Returns(() => leadership.Current);
        provider.Setup(p => p.GetChangeToken()).Returns(leadership.GetChangeToken());
        provider.Setup(p => p.Control).Returns(control.Object);
        await using var app = TestApp.Create(Settings.Cluster(), builder =>
        {
            builder.Services.AddSingleton<ILoggerFactory>(logs);
            builder.Services.AddSingleton(provider.Object);
        });
        await app.StartAsync();
        if (signal)
        {
            app.Lifetime.StopApplication();
            control.Verify(c => c.HandOffAsync(It.IsAny<CancellationToken>()), Times.Once());
            using var ready = await app.GetTestClient().GetAsync(new Uri("/_ha/healthz/ready", UriKind.Relative));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        }

        await app.StopAsync();
        control.Verify(c => c.HandOffAsync(It.IsAny<CancellationToken>()), Times.Once());
    }

    [Fact]
    public async Task A_handoff_that_outlasts_the_hosts_patience_is_cut_short_and_said()
    {
        using var logs = new RecordedLogs();
        await using var app = Create([.. TestApp.FixedFollower, ("BASE_SHUTDOWN_DELAY", "20s")], logs);
        await app.StartAsync();
        var service = app.Services.GetServices<IHostedService>().OfType<Ha.Hosting.HaLifecycleService>().Single();
        await service.StoppingAsync(new CancellationToken(canceled: true));
        Assert.Single(logs.Entries, e => e.Id == 1406);
    }

    private static WebApplication Create((string Key, string? Value)[] variables, RecordedLogs logs) =>
        TestApp.Create(variables, builder => builder.Services.AddSingleton<ILoggerFactory>(logs));
}
