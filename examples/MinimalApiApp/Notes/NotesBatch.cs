using Ha;

namespace MinimalApiApp.Notes;

/// <summary>
/// <c>POST /notes/batch</c>: each note in a transaction of its own, and an answer for each. One that meets the end of this
/// node's leadership says so; what was committed before stays, and is confirmed.
/// </summary>
internal static partial class NotesBatch
{
    private const int MaxNotes = 1000;

    public static void MapBatch(this RouteGroupBuilder notes) => notes.MapPost("/batch", AddAllAsync).AnswersPerItem();

    private static async Task<IResult> AddAllAsync(NoteText?[] notes, HttpContext http, IdempotentWrites writes, ILoggerFactory loggers)
    {
        if (notes.Length is 0 or > MaxNotes)
        {
            return Answer.BadNote($"Send a JSON array of 1 to {MaxNotes} objects with a \"text\".");
        }

        var answers = new List<Answer>(notes.Length);
        var executed = false;
        Answer? refusal = null;
        foreach (var note in notes)
        {
            try
            {
                var answer = refusal ?? await AddAsync(note, writes, http.RequestAborted);
                executed |= answer.Status == StatusCodes.Status201Created;
                answers.Add(answer);
            }
            catch (NotLeaderException lost) when (executed)
            {
                // Never again in this request, so the rest need not try. If nothing had been executed the exception
                // would go on to the middleware, which takes the whole batch to the leader.
                answers.Add(refusal = Answer.Problem(lost.ToProblemDetails()));
            }
            catch (OutcomeUnknownException unknown)
            {
                executed = true;
                answers.Add(Answer.Problem(unknown.ToProblemDetails()));
            }
            catch (Exception failure) when (executed && !http.RequestAborted.IsCancellationRequested)
            {
                // Thrown on, it would take the answers of the notes before with it. How far this one came it does not say.
                LogFailed(loggers.CreateLogger(nameof(NotesBatch)), failure);
                answers.Add(Answer.Problem(new OutcomeUnknownException(message: null, failure).ToProblemDetails()));
            }
        }

        return Answer.PerItem(answers);
    }

    private static async Task<Answer> AddAsync(NoteText? note, IdempotentWrites writes, CancellationToken cancellationToken) =>
        (note ?? new NoteText(Text: null)) is { Problem: { } problem }
            ? Answer.BadNote(problem)
            : await writes.RunAsync(t => NotesEndpoints.InsertAsync(t, note!.Text!), cancellationToken);

    [LoggerMessage(LogLevel.Error, "A note of a batch failed.")]
    private static partial void LogFailed(ILogger logger, Exception failure);
}
