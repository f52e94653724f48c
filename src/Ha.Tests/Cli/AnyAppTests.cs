using Ha.Cli.Processes;
using Ha.Tests.Endpoints.GrpcHealth;
using Ha.Tests.Processes;
using Xunit.Abstractions;

namespace Ha.Tests.Cli;

/// <summary><c>ha cluster</c> with applications that it has never heard of.</summary>
[Collection(ProcessTests.Name)]
[Trait("Category", "Long")]
public sealed class AnyAppTests(ITestOutputHelper output, AnyAppTests.Project project) : IClassFixture<AnyAppTests.Project>
{
    [Fact]
    public async Task A_project_is_built_and_run_in_its_folder()
    {
        using var run = new ClusterProcess(output, project.Folder, "--load", "PUT /counted", "--rate", "20", "--mode", "proxy");
        await run.TellUntilAsync("status", "writes: [1-9]");
        run.Tell("step-down leader");
        await run.TellUntilAsync("status", "asked to step down: accepted(.|\n)*leads in epoch");
        run.Tell("quit");
        Assert.Equal(0, await run.EndAsync());
        Assert.Matches("3 nodes of Counter, proxy mode(.|\n)*Writes: [1-9][0-9]* ok, [0-9]+ of them retried, 0 failed", run.Text);
        run.AssertGone();
    }

    [Fact]
    public async Task A_load_that_the_application_does_not_know_is_failed_and_named()
    {
        using var run = new ClusterProcess(output, project.Folder, "--nodes", "1", "--load", "PUT /not-counted", "--rate", "20");
        await run.TellUntilAsync("status", "writes: 0 ok, 0 of them retried, [1-9].*, last trouble: 404 from 127");
        run.Tell("quit");
        Assert.Equal(0, await run.EndAsync());
        Assert.Matches("Writes: 0 ok, 0 of them retried, [1-9][0-9]* failed, longest gap 0 ms, last trouble: 404 from", run.Text);
        run.AssertGone();
    }

    [Fact]
    public async Task An_application_without_AddHa_is_named()
    {
        using var run = new ClusterProcess(output, Path.Combine(project.Folder, "Counter.csproj"), "--nodes", "2", "--", "--without-ha", "true");
        Assert.Equal(1, await run.EndAsync());
        Assert.Contains("builder.Services.AddHa()", run.Text, StringComparison.Ordinal);
        Assert.Equal(2, run.NodePids.Count);
        run.AssertGone();
    }

    [Fact]
    public async Task A_project_that_does_not_build_is_named_with_its_errors()
    {
        var folder = Directory.CreateDirectory(Path.Combine(project.Folder, "broken"));
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "Broken.csproj"), Project.Csproj);
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "Program.cs"), "this is not C#");
        using var run = new ClusterProcess(output, folder.FullName);
        Assert.Equal(1, await run.EndAsync());
        Assert.Matches(@"Broken\.csproj does not build:\n.*Program\.cs.*: error CS", run.Text);
    }

    [Fact]
    public async Task A_command_line_is_run_as_it_is()
    {
        using var run = new ClusterProcess(output,
            ["--nodes", "2", "--interval", "200ms", "--", .. ChildProcess.Dotnet(typeof(EchoNode).Assembly.Location, EchoNode.Verb)]);
        await run.SawAsync("leads in epoch");
        run.Tell("quit");
        Assert.Equal(0, await run.EndAsync());
        run.AssertGone();
    }

    [Theory]
    [InlineData("There is no file nowhere.dll.", "nowhere.dll")]
    [InlineData("There is no file ./nowhere, and no such folder.", "./nowhere")]
    [InlineData("There is no project nowhere.csproj.", "nowhere.csproj")]
    [InlineData("There is no project in the folder /proc/self/fdinfo.", "/proc/self/fdinfo")]
    [InlineData("No node came up. Node a ended with exit code 127", "no-such-program", "--nodes", "1")]
    [InlineData("No node came up. Node a ended with exit code 0", "true", "--nodes", "1")]
    public async Task What_cannot_be_run_is_named(string said, params string[] arguments)
    {
        using var run = new ClusterProcess(output, arguments);
        Assert.Equal(1, await run.EndAsync());
        Assert.Contains(said, run.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--nodes is 1 to 9", "app", "--nodes", "10")]
    [InlineData("--load is a method", "app", "--load", "notes")]
    [InlineData("--rate is 1 to 1000", "app", "--rate", "0")]
    [InlineData("--env is KEY=VALUE", "app", "--env", "KEY")]
    [InlineData("--env cannot say where to listen", "app", "--env", "A=b", "--env", "ASPNETCORE_URLS=http://127.0.0.1:8080")]
    [InlineData("--env cannot say where to listen", "app", "--env", "http_ports=8080")]
    [InlineData("'5' has no unit", "app", "--for", "5")]
    [InlineData("app")]
    public async Task A_wrong_command_line_has_an_exit_code_of_its_own(string said, params string[] arguments)
    {
        using var run = new ClusterProcess(output, arguments);
        Assert.Equal(2, await run.EndAsync());
        Assert.Contains(said, run.Text, StringComparison.Ordinal);
    }

    /// <summary>A small application outside of this repository; the first test that runs it builds it.</summary>
    public sealed class Project : IDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("counter-");

        public Project()
        {
            File.WriteAllText(Path.Combine(Folder, "Counter.csproj"), Csproj);
            File.WriteAllText(Path.Combine(Folder, "content.txt"), "in the project's folder");
            File.WriteAllText(Path.Combine(Folder, "Program.cs"), """
                var builder = WebApplication.CreateBuilder(args);
                if (builder.Configuration["without-ha"] is null)
                {
                    builder.Services.AddHa();
                }

                var app = builder.Build();
                app.MapPut("/counted", () => File.Exists("content.txt") ? Results.Ok() : Results.NotFound());
                app.Run();
                """);
        }

        public static string Csproj => $"""
            <Project Sdk="Microsoft.NET.Sdk.Web">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <DefaultItemExcludes>$(DefaultItemExcludes);broken/**</DefaultItemExcludes>
              </PropertyGroup>
              <ItemGroup>
                <Reference Include="{typeof(HaOptions).Assembly.Location};{typeof(NSec.Cryptography.Key).Assembly.Location}" />
              </ItemGroup>
            </Project>
            """;

        public string Folder => _folder.FullName;

        public void Dispose() => _folder.Delete(recursive: true);
    }
}
