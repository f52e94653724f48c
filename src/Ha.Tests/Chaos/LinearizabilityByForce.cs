using Ha.Chaos.History;

namespace Ha.Tests.Chaos;

/// <summary>
/// The same question as <see cref="Ha.Chaos.Checking.RegisterCheck"/>, answered by trying all orders (Wing, Gong: Testing
/// and Verifying Concurrent Objects, 1993). Slow, and plain enough to be believed.
/// </summary>
internal static class LinearizabilityByForce
{
    public static bool Holds(IReadOnlyList<Operation> operations) => Place(
        [.. operations.Where(o => o.Outcome == Outcome.Ok || (o.IsWrite && o.Outcome == Outcome.Unknown))], "");

    private static bool Place(List<Operation> open, string value)
    {
        if (open.TrueForAll(o => o.Outcome == Outcome.Unknown))
        {
            return true;
        }

        // Next can be whatever began before the first of the others ended.
        var firstEnd = open.Min(End);
        foreach (var next in open.Where(o => o.Invoked <= firstEnd))
        {
            if (!next.IsWrite && next.Value != value)
            {
                continue;
            }

            List<Operation> rest = [.. open];
            rest.Remove(next);
            if (Place(rest, next.Value))
            {
                return true;
            }
        }

        return false;
    }

    private static long End(Operation operation) => operation.Outcome == Outcome.Ok ? operation.Completed : long.MaxValue;
}
