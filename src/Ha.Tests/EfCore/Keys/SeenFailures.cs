using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;

namespace Ha.Tests.EfCore.Keys;

/// <summary>What came through the pipeline.</summary>
internal sealed class SeenFailures
{
    public ConcurrentQueue<Exception> All { get; } = new();

    public void Watch(WebApplication app) => app.Use(async (_, next) =>
    {
        try
        {
            await next();
        }
        catch (Exception failure)
        {
            All.Enqueue(failure);
            throw;
        }
    });
}
