using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;

namespace Ha.Heartbeat;

internal enum BodyOutcome
{
    Complete,
    TooLarge,
    TooSlow,

    /// <summary>The framing is broken, such as a bad chunk.</summary>
    Malformed,

    /// <summary>The client is gone; nobody waits for an answer.</summary>
    Aborted,
}

/// <summary>Reads a request body with a bound on its size, whatever its length claims, and on its time.</summary>
internal static class BoundedBody
{
    /// <param name="reader">The request's body.</param>
    /// <param name="contentLength">As the request states it; null for a chunked body.</param>
    /// <param name="maxBytes">The bound on its size.</param>
    /// <param name="timeLimit">The bound on its time.</param>
    /// <param name="clock">Measures <paramref name="timeLimit"/>.</param>
    /// <returns>
    /// The outcome and, when complete, the body: valid until the caller advances the reader. One timer at most, and none
    /// when the body came together with the headers.
    /// </returns>
    public static async ValueTask<(BodyOutcome Outcome, ReadOnlySequence<byte> Body)> ReadAsync(
        PipeReader reader, long? contentLength, int maxBytes, TimeSpan timeLimit, TimeProvider clock)
    {
        ITimer? timer = null;
        try
        {
            while (true)
            {
                var reading = reader.ReadAsync();
                if (!reading.IsCompleted)
                {
                    timer ??= clock.CreateTimer(
                        static state => ((PipeReader)state!).CancelPendingRead(), reader, timeLimit, Timeout.InfiniteTimeSpan);
                }

                var result = await reading;
                if (result.IsCanceled || result.Buffer.Length > maxBytes)
                {
                    reader.AdvanceTo(result.Buffer.End);
                    return (result.IsCanceled ? BodyOutcome.TooSlow : BodyOutcome.TooLarge, default);
                }

                if (result.IsCompleted)
                {
                    return (BodyOutcome.Complete, result.Buffer);
                }

                reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
            }
        }
        catch (BadHttpRequestException e)
        {
            // The server found the body too large, too slow or badly framed before this did.
            return (e.StatusCode switch
            {
                StatusCodes.Status413PayloadTooLarge => BodyOutcome.TooLarge,
                StatusCodes.Status408RequestTimeout => BodyOutcome.TooSlow,

                // Without chunks there is no framing to break: the sender gave up in the middle, as one does on a node
                // that was stopped for a while.
                _ when contentLength is not null => BodyOutcome.Aborted,
                _ => BodyOutcome.Malformed,
            }, default);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return (BodyOutcome.Aborted, default);
        }
        finally
        {
            timer?.Dispose();
        }
    }
}
