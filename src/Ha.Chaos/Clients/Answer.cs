using System.Text.Json;
using Ha.Chaos.History;

namespace Ha.Chaos.Clients;

/// <summary>What one call came to.</summary>
internal sealed record Answer(Outcome Outcome, int Status, string Text = "", long NoteId = 0, string Node = "", long Epoch = 0, string? Why = null)
{
    private const int LongestWhy = 200;

    /// <summary>Judges an answer by the contract: the header proves that nothing was executed, and so do two refusals of the example.</summary>
    public static Answer From(int status, bool notExecuted, string body)
    {
        if (status is 200 or 201)
        {
            return FromNote(status, body);
        }

        var refused = notExecuted
            || (status == 503 && body.Contains("\"The database is busy\"", StringComparison.Ordinal))
            || (status == 409 && body.Contains("\"Still running\"", StringComparison.Ordinal));
        return new Answer(refused ? Outcome.Failed : Outcome.Unknown, status, Why: Cut(body));
    }

    public static Answer Lost(string why, bool sent) => new(sent ? Outcome.Unknown : Outcome.Failed, 0, Why: Cut(why));

    private static Answer FromNote(int status, string body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            var note = json.RootElement;
            return new Answer(Outcome.Ok, status, note.GetProperty("text").GetString()!, note.GetProperty("id").GetInt64(),
                note.GetProperty("node").GetString()!, note.GetProperty("epoch").GetInt64());
        }
        catch (JsonException)
        {
            return new Answer(Outcome.Unknown, status, Why: Cut(body));
        }
    }

    private static string Cut(string text) => text.Length <= LongestWhy ? text : text[..LongestWhy];
}
