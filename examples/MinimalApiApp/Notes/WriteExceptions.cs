namespace MinimalApiApp.Notes;

/// <summary>This node does not lead any more; nothing was committed.</summary>
internal sealed class NotLeaderException(string message) : Exception(message);

/// <summary>The write may or may not have been committed.</summary>
internal sealed class OutcomeUnknownException(string message, Exception inner) : Exception(message, inner);
