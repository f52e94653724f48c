using System.Text.Json.Serialization;

namespace MinimalApiApp.Notes;

/// <param name="Id">Ascending: a later commit has a higher id.</param>
/// <param name="Text">What was written down.</param>
/// <param name="Node">The node that wrote the row as it is now.</param>
/// <param name="Epoch">The epoch it wrote under; 0 without HA.</param>
internal sealed record Note(long Id, string Text, string Node, long Epoch);

/// <summary>The body of <c>POST /notes</c> and <c>PUT /notes/{id}</c>.</summary>
internal sealed record NoteText(string? Text)
{
    public const int MaxLength = 100_000;

    /// <summary>What is wrong with the text, or null.</summary>
    public string? Problem => Text switch
    {
        null or "" => "Send a JSON object with a \"text\" that is not empty.",
        _ when string.IsNullOrWhiteSpace(Text) => "The text has only white space.",
        _ when Text.Length > MaxLength => $"The text has {Text.Length} characters; at most {MaxLength} are kept.",
        _ when Text.Contains('\0') => "The text has a NUL character, which a database column cannot keep.",
        _ => null,
    };
}

/// <summary>What the leader's background job left behind. <c>At</c> is Unix milliseconds.</summary>
internal sealed record Heartbeat(long Id, long At, string Node, long Epoch);

/// <summary>What <c>POST /uploads</c> kept of a body.</summary>
internal sealed record Upload(long Id, long Bytes, string Sha256, string Node, long Epoch);

/// <summary>The answer of <c>GET /whoami</c>.</summary>
internal sealed record WhoAmI(
    string Node, bool Leader, [property: JsonPropertyName("leader_id")] string? LeaderId, long Epoch, int Pid, string Database);

/// <summary>The body of <c>POST /notes/search</c>.</summary>
internal sealed record NoteSearch(string? Text, int? Limit);
