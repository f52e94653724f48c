namespace Ha.Http;

/// <summary>What counts as a write. Compiled into the server and the client package, so that both mean the same.</summary>
internal static class WriteMethods
{
    /// <summary>
    /// True for all methods but the listed ones, so an unknown method is a write. Case is ignored because ASP.NET Core's
    /// routing ignores it too.
    /// </summary>
    public static bool Contains(string method) =>
        !(Is(method, "GET") || Is(method, "HEAD") || Is(method, "OPTIONS")
            || Is(method, "TRACE") || Is(method, "CONNECT") || Is(method, "QUERY"));

    private static bool Is(string method, string known) => string.Equals(method, known, StringComparison.OrdinalIgnoreCase);
}
