using Microsoft.AspNetCore.Mvc;

namespace Ha.Tests.Forwarding;

#pragma warning disable CA1822 // MVC finds instance methods only.

/// <summary>An MVC controller that finds out it is not the leader. Public, or MVC does not see it.</summary>
[ApiController]
[Route("refusing")]
public sealed class RefusingController : ControllerBase
{
    [HttpPost]
    public IActionResult Post() => throw new NotLeaderException { LeaderUrl = "http://next" };

    [HttpGet]
    [RequireLeader]
    public string Get() => "fresh";

    [HttpPost("search")]
    [AllowOnAnyNode]
    public string Search() => "found";
}
