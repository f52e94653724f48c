using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;

namespace MinimalApiApp.Notes;

/// <summary>What travels as JSON, known when the program is compiled.</summary>
[JsonSourceGenerationOptions(System.Text.Json.JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(Note))]
[JsonSerializable(typeof(NoteText[]))]
[JsonSerializable(typeof(NoteSearch))]
[JsonSerializable(typeof(Upload))]
[JsonSerializable(typeof(WhoAmI))]
[JsonSerializable(typeof(List<Note>))]
[JsonSerializable(typeof(List<Heartbeat>))]
[JsonSerializable(typeof(ProblemDetails))]
internal sealed partial class NotesJson : JsonSerializerContext;
