using Ha.EntityFrameworkCore;
using Ha.EntityFrameworkCore.Idempotency;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Makes <c>HonorsIdempotencyKey</c> true.</summary>
public static class HaIdempotencyApplicationBuilderExtensions
{
    /// <summary>
    /// Runs a write with an <c>Idempotency-Key</c> once, on endpoints that say <c>HonorsIdempotencyKey</c>, and gives its answer
    /// again when it comes again: key, request and answer are stored by the transaction that does the write. Put it after
    /// <c>UseHa()</c>, <c>UseAuthentication()</c> and <c>UseAuthorization()</c>. Works with the plugin off too.
    /// </summary>
    /// <remarks>
    /// The handler saves through the request's own <typeparamref name="TContext"/> and begins no transaction. On PostgreSQL it may
    /// stand for a minute before its first write, and for <see cref="HaFenceOptions.IdleLimit"/> (2 s) between two statements after
    /// it; longer, and the server rolls back. Put it before what reads the body, and once for each request. An answer from 500
    /// on, a 409, 425 or 429, and an exception undo what it saved and leave the key unused. The answer is sent when it is
    /// complete, and kept without cookies.
    /// </remarks>
    /// <typeparam name="TContext">A context with <c>UseHaFence</c>.</typeparam>
    /// <param name="app">The pipeline.</param>
    /// <param name="configure">Changes the settings.</param>
    /// <returns><paramref name="app"/>.</returns>
    /// <exception cref="InvalidOperationException">
    /// At the start: the context is not registered, is transient, or has no table for answers.
    /// </exception>
    public static IApplicationBuilder UseHaIdempotency<TContext>(this IApplicationBuilder app, Action<HaIdempotencyOptions>? configure = null)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(app);
        var options = new HaIdempotencyOptions();
        configure?.Invoke(options);
        var clock = app.ApplicationServices.GetService<TimeProvider>() ?? TimeProvider.System;
        return app.Use(next =>
        {
            using var scope = app.ApplicationServices.CreateScope();
            var context = scope.ServiceProvider.GetRequiredService<TContext>();
            AnswersTable.TypeOf(context);
            if (!ReferenceEquals(context, scope.ServiceProvider.GetRequiredService<TContext>()))
            {
                throw new InvalidOperationException(
                    $"{typeof(TContext).Name} is registered as transient, so a handler would save through another one than UseHaIdempotency commits: make it scoped.");
            }

            return new IdempotencyMiddleware(next, typeof(TContext), options, clock).InvokeAsync;
        });
    }
}
