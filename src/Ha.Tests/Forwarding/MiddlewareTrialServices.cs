using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Ha.Tests.Forwarding;

/// <summary>An application's own exception handler.</summary>
internal sealed class TeapotHandler(TrialNode node) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        httpContext.Response.StatusCode = StatusCodes.Status418ImATeapot;
        await httpContext.Response.WriteAsync($"sorry from {node.Id}", cancellationToken);
        return true;
    }
}

/// <summary>Believes the name in <c>Authorization</c>, and notes that it was asked.</summary>
internal sealed class TrialScheme(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, TrialNode node)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        node.Note("authenticated");
        var name = Request.Headers.Authorization.ToString().Split(' ')[^1];
        var user = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, name)], Scheme.Name));
        return Task.FromResult(name.Length == 0
            ? AuthenticateResult.NoResult()
            : AuthenticateResult.Success(new AuthenticationTicket(user, Scheme.Name)));
    }
}
