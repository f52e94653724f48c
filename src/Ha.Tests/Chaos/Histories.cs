using Ha.Chaos.History;

namespace Ha.Tests.Chaos;

/// <summary>Short words for the lines of a history.</summary>
internal static class Histories
{
    public static Operation Put(string value, long from, long to, Outcome outcome = Outcome.Ok, string key = "r") =>
        new("test", "", OperationKind.Put, key, value, from, to, outcome, 200);

    public static Operation Get(string value, long from, long to, string key = "r") =>
        new("test", "", OperationKind.Get, key, value, from, to, Outcome.Ok, 200);

    public static Operation Add(string text, long id, string node = "a", long epoch = 1, long from = 0, long to = 1, Outcome outcome = Outcome.Ok) =>
        new("test", "", OperationKind.Add, "", text, from, to, outcome, 201, id, node, epoch);

    public static Row Row(long id, string text, string node = "a", long epoch = 1) => new(id, text, node, epoch, 1000);

    public static Claim Claim(string node, long epoch, long asked, long answered, string quorum = "majority") =>
        new(node, asked, answered, epoch, 100, quorum);
}
