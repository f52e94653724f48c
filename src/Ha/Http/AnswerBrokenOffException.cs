namespace Ha.Http;

/// <summary>
/// The answer broke off after its first byte, and the connection was aborted. Thrown to the outside so that no middleware
/// there takes half an answer for a whole one and keeps it in a cache. A cancellation, because everybody passes those on.
/// </summary>
internal sealed class AnswerBrokenOffException() : OperationCanceledException("The answer broke off after it had begun.");
