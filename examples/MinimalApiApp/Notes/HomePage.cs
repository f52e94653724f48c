namespace MinimalApiApp.Notes;

/// <summary>The page at <c>GET /</c>: add, list and delete notes with nothing but a browser.</summary>
internal static class HomePage
{
    private static readonly string _html = Read();

    public static void MapHomePage(this WebApplication app) => app.MapGet("/", (HttpResponse response) =>
    {
        // Everything is in the one file; notes reach the page as text, never as markup.
        response.Headers.ContentSecurityPolicy =
            "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        return Results.Content(_html, "text/html; charset=utf-8");
    });

    private static string Read()
    {
        using var reader = new StreamReader(typeof(HomePage).Assembly.GetManifestResourceStream("home.html")!);
        return reader.ReadToEnd();
    }
}
