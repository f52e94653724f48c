using Ha.Election;

namespace Ha.Heartbeat;

/// <summary>The one mapping between how a heartbeat was taken and the HTTP status of its reply.</summary>
internal static class BeatStatusCodes
{
    public static int ToHttp(BeatStatus status) => status switch
    {
        BeatStatus.Ok => 200,
        BeatStatus.Conflict => 409,
        BeatStatus.ConfigMismatch => 412,
        _ => 403,
    };

    /// <summary>True for a status whose body may be a signed message.</summary>
    public static bool CarriesReply(int http) => http is 200 or 403 or 409 or 412;
}
