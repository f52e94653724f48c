using Ha.Hosting;
using Ha.Http;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;

namespace Ha.Tests.Pipelines;

/// <summary>Builds the pipeline of a case as the host would: what <c>AddHa()</c> puts first, then the application.</summary>
internal sealed class PipelineBuilder(PipelineCase drawn, RequestDelegate handler)
{
    private const string ErrorPath = "/error";
    private const string WorkPath = "/work/";
    private const string GlobalRoutes = "__GlobalEndpointRouteBuilder";
    private const string LocalRoutes = "__EndpointRouteBuilder";

    public static string Path(PipelineCase drawn, int request) => $"{drawn.PathPrefix()}{WorkPath}{request}?{drawn.Seed}";

    public RequestDelegate Build(CaseServices services)
    {
        var app = new ApplicationBuilder(services);
        if (drawn.Has(StageKind.Routing))
        {
            // Where WebApplication keeps its endpoints.
            app.Properties[GlobalRoutes] = new Routes(app, MapAll());
        }

        new HaStartupFilter().Configure(application => AddFrom(application, 0))(app);
        return app.Build();
    }

    private void AddFrom(IApplicationBuilder app, int first)
    {
        for (var i = first; i < drawn.Stages.Length; i++)
        {
            if (drawn.Stages[i].Kind == StageKind.Map)
            {
                var next = i + 1;
                app.Map("/api", branch => AddFrom(branch, next));
                break;
            }

            Add(app, drawn.Stages[i]);
        }

        if (app.Properties.ContainsKey(LocalRoutes))
        {
            app.UseEndpoints(static _ => { });
        }

        app.Run(LastAsync);
    }

    private static void Add(IApplicationBuilder app, Stage stage)
    {
        switch (stage.Kind)
        {
            case StageKind.Ha:
                app.UseHa();
                break;
            case StageKind.ExceptionPath:
                app.UseExceptionHandler(ErrorPath);
                break;
            case StageKind.ExceptionLambda:
                app.UseExceptionHandler(branch => branch.Run(ErrorPageAsync));
                break;
            case StageKind.ExceptionProblem:
                app.UseExceptionHandler();
                break;
            case StageKind.DeveloperPage:
                app.UseDeveloperExceptionPage();
                break;
            case StageKind.StatusPages:
                app.UseStatusCodePages();
                break;
            case StageKind.StatusReExecute:
                app.UseStatusCodePagesWithReExecute(ErrorPath);
                break;
            case StageKind.Timeouts:
                app.UseRequestTimeouts();
                break;
            case StageKind.Decompression:
                app.UseRequestDecompression();
                break;
            case StageKind.Antiforgery:
                app.UseAntiforgery();
                break;
            case StageKind.ResponseCaching:
                app.UseResponseCaching();
                break;
            case StageKind.OutputCache:
                app.UseOutputCache();
                break;
            case StageKind.Compression:
                app.UseResponseCompression();
                break;
            case StageKind.Routing:
                app.UseRouting();
                break;
            case StageKind.ForwardedHeaders:
                app.UseForwardedHeaders(new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.All });
                break;
            case StageKind.PathBase:
                app.UsePathBase("/base");
                break;
            case StageKind.Cors:
                app.UseCors(policy => policy.AllowAnyOrigin());
                break;
            case StageKind.When:
                app.UseWhen(
                    static context => context.Request.Headers.ContainsKey(CaseHeaders.Branch),
                    branch => Array.ForEach(stage.Inner, inner => Add(branch, inner)));
                break;
            default:
                app.Use(OwnMiddleware.Of(stage.Kind));
                break;
        }
    }

    // For what no endpoint took: without routing, the whole application.
    private Task LastAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        if (path == ErrorPath)
        {
            return ErrorPageAsync(context);
        }

        if (path.StartsWith(WorkPath, StringComparison.Ordinal))
        {
            return handler(context);
        }

        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return context.Response.WriteAsync("nothing here");
    }

    private static Task ErrorPageAsync(HttpContext context) => context.Response.WriteAsync("error page");

    private DefaultEndpointDataSource MapAll()
    {
        var endpoints = new List<Endpoint> { Map(ErrorPath, ErrorPageAsync, []) };
        var routing = Array.FindIndex(drawn.Stages, stage => stage.Kind == StageKind.Routing);
        for (var i = 0; i < drawn.Requests.Length; i++)
        {
            object[] metadata = [.. Metadata(drawn.Requests[i])];

            // What routing sees depends on what stands before it, and a stage that routes again sees less.
            foreach (var prefix in new[] { "", drawn.PathPrefix(routing), drawn.PathPrefix() }.Distinct(StringComparer.Ordinal))
            {
                endpoints.Add(Map($"{prefix}{WorkPath}{i}", handler, metadata));
            }
        }

        return new DefaultEndpointDataSource(endpoints);
    }

    private static RouteEndpoint Map(string pattern, RequestDelegate run, object[] metadata) =>
        new(run, RoutePatternFactory.Parse(pattern), order: 0, new EndpointMetadataCollection(metadata), pattern);

    private static IEnumerable<object> Metadata(RequestPlan plan)
    {
        if (plan.Choice == NodeChoice.LeaderOnly)
        {
            yield return new RequireLeaderAttribute();
        }

        if (plan.Choice == NodeChoice.AnyNode)
        {
            yield return new AllowOnAnyNodeAttribute();
        }

        if (plan.HonorsKey)
        {
            yield return new HonorsIdempotencyKeyAttribute();
        }

        if (plan.ShortTimeout)
        {
            yield return new RequestTimeoutAttribute(milliseconds: 20);
        }

        if (plan.Antiforgery)
        {
            yield return new Validated();
        }
    }

    private sealed class Validated : IAntiforgeryMetadata
    {
        public bool RequiresValidation => true;
    }

    private sealed class Routes(IApplicationBuilder app, EndpointDataSource endpoints) : IEndpointRouteBuilder
    {
        public IServiceProvider ServiceProvider => app.ApplicationServices;

        public ICollection<EndpointDataSource> DataSources { get; } = [endpoints];

        public IApplicationBuilder CreateApplicationBuilder() => app.New();
    }
}
