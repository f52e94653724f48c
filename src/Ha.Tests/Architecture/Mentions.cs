namespace Ha.Tests.Architecture;

// Each of these mentions the first one in another kind of place, and nowhere else.
internal class Mentioned : Exception;

internal sealed class ByBase : Mentioned;

internal sealed class ByField
{
    public Dictionary<string, Mentioned[]> Kept { get; } = [];
}

internal sealed class ByGenericArgument
{
    public static object Made() => Activator.CreateInstance<Mentioned>();
}

internal sealed class ByConstraint<T>
    where T : Mentioned
{
    public override string ToString() => typeof(T).Name;
}

internal sealed class ByAttribute
{
    [System.ComponentModel.TypeConverter(typeof(Mentioned))]
    public int Value { get; set; }
}

internal sealed class ByCatch
{
    public static void Run(Action action)
    {
        try
        {
            action();
        }
        catch (Mentioned)
        {
            action();
        }
    }
}

internal sealed class ByAsync
{
    public static async Task<bool> RunAsync(object what)
    {
        await Task.Yield();
        return what is Mentioned;
    }
}

internal sealed class ByLambda
{
    public static Func<object, bool> Of(string name) => what => what is Mentioned { Message: var message } && message == name;
}

internal sealed class ByIterator
{
    public static IEnumerable<object> All()
    {
        yield return new Mentioned();
    }
}
