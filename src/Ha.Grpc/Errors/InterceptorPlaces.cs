using Grpc.AspNetCore.Server;
using Microsoft.Extensions.Options;

namespace Ha.Grpc.Errors;

/// <summary>
/// Puts the interceptor around all of the application's global ones, for what those throw (a transaction that commits after the method),
/// and inside of them too, before one that makes an error of its own of everything.
/// </summary>
internal sealed class InterceptorPlaces : IPostConfigureOptions<GrpcServiceOptions>
{
    public void PostConfigure(string? name, GrpcServiceOptions options)
    {
        options.Interceptors.Add<RefusalInterceptor>();
        options.Interceptors.Insert(0, options.Interceptors[^1]);
    }
}
