var builder = WebApplication.CreateBuilder(args);
var app = builder.Build();
app.MapGet("/whoami", () => new { node = app.Environment.ApplicationName });
app.Run();
