using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Filters;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Ha.Forwarding.Local;

// With AddHa() alone the middleware stands outside of everything, the developer exception page of WebApplication and
// the application's own UseExceptionHandler included, so a NotLeaderException would end there as a 500. Each of these
// hooks into one of them and keeps the exception for the middleware.

/// <summary>For the developer exception page.</summary>
internal sealed class DeveloperPageCatcher : IDeveloperPageExceptionFilter
{
    public Task HandleExceptionAsync(ErrorContext errorContext, Func<ErrorContext, Task> next) =>
        CaughtRefusal.TryKeep(errorContext.HttpContext, errorContext.Exception) ? Task.CompletedTask : next(errorContext);
}

/// <summary>For <c>UseExceptionHandler</c>.</summary>
internal sealed class ExceptionHandlerCatcher : IExceptionHandler
{
    public ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken) =>
        ValueTask.FromResult(CaughtRefusal.TryKeep(httpContext, exception));
}

/// <summary>For MVC: runs before any exception filter of the application that would swallow everything.</summary>
internal sealed class MvcCatcher : IExceptionFilter, IOrderedFilter
{
    // Exception filters run from the inside out, the highest order first.
    public int Order => int.MaxValue;

    public void OnException(ExceptionContext context)
    {
        if (CaughtRefusal.TryKeep(context.HttpContext, context.Exception))
        {
            context.Result = new EmptyResult();
            context.ExceptionHandled = true;
        }
    }
}

/// <summary>Registers them; all three do nothing in an application without the thing they hook into.</summary>
internal static class ExceptionCatchers
{
    public static void Add(IServiceCollection services)
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IDeveloperPageExceptionFilter, DeveloperPageCatcher>());

        // Before those that the application has registered already: the first one that handles an exception is the last.
        services.Insert(0, ServiceDescriptor.Singleton<IExceptionHandler, ExceptionHandlerCatcher>());
        services.Configure<MvcOptions>(static options => options.Filters.Add(new MvcCatcher()));
    }
}
