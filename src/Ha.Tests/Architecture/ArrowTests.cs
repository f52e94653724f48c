using System.Text.RegularExpressions;
using Ha.Tests.Support;

namespace Ha.Tests.Architecture;

/// <summary>The folders of the package use each other in one direction, and the compiled assembly says so.</summary>
public partial class ArrowTests
{
    private static readonly IReadOnlyList<TypeArrow> _arrows = AssemblyArrows.Read(typeof(HaOptions).Assembly);

    [Fact]
    public void Every_arrow_between_two_rooms_is_on_the_list()
    {
        var unlisted = Unlisted(House.Arrows);
        Assert.True(unlisted.Length == 0, string.Join('\n', unlisted));
    }

    [Fact]
    public void No_room_is_reached_again_from_those_it_uses()
    {
        // The hosting opens the doors, and they lead to it.
        var rooms = House.Arrows
            .GroupBy(room => Folder(room.Key), room => room.Value.Except([House.Doors]).Select(Folder), StringComparer.Ordinal)
            .ToDictionary(room => room.Key, room => room.SelectMany(to => to).Where(to => to != room.Key).ToArray(), StringComparer.Ordinal);
        Assert.All(rooms.Keys, room => Assert.DoesNotContain(room, Reached(room, rooms)));

        static string Folder(string room) => room == House.Settings ? "Configuration" : room;
    }

    [Fact]
    public void The_diagram_draws_the_list()
    {
        var listed = House.Arrows.SelectMany(
            room => House.Ground.All(room.Value.Contains) ? room.Value.Except(House.Ground) : room.Value, (room, to) => $"{room.Key} --> {to}");
        var drawn = DrawnArrows().Matches(Repository.Read("docs/architecture.md"))
            .SelectMany(arrow => arrow.Groups["to"].Value.Split(" & "), (arrow, to) => $"{arrow.Groups["from"].Value} --> {to}");
        Assert.Equal(listed.Order(StringComparer.Ordinal), drawn.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_page_names_files_and_folders_that_are_there()
    {
        var named = NamedPaths().Matches(Repository.Read("docs/architecture.md")).Select(path => path.Groups[1].Value).Distinct().ToList();
        Assert.True(named.Count > 15);
        Assert.All(named, path => Assert.True(Path.Exists(Path.Combine(Repository.Root, "src/Ha", path)), path));
    }

    [Theory]
    [InlineData("Election")]
    [InlineData("Leadership")]
    [InlineData("Security")]
    [InlineData(House.Messages)]
    public void A_room_that_decides_or_signs_knows_nothing_of_a_web_server(string room) =>
        Assert.DoesNotContain(
            _arrows,
            arrow => House.RoomOf(arrow.From) == room && !arrow.IsOwn && arrow.To.StartsWith("Microsoft.AspNetCore.", StringComparison.Ordinal));

    [Theory]
    [InlineData(typeof(ByBase))]
    [InlineData(typeof(ByField))]
    [InlineData(typeof(ByGenericArgument))]
    [InlineData(typeof(ByConstraint<>))]
    [InlineData(typeof(ByAttribute))]
    [InlineData(typeof(ByCatch))]
    [InlineData(typeof(ByAsync))]
    [InlineData(typeof(ByLambda))]
    [InlineData(typeof(ByIterator))]
    public void A_mention_is_seen_wherever_it_stands(Type from) =>
        Assert.Contains(
            new TypeArrow(from.FullName!, typeof(Mentioned).FullName!, IsOwn: true),
            AssemblyArrows.Read(typeof(Mentioned).Assembly, typeof(Mentioned).Namespace!));

    [Fact]
    public void A_list_without_an_arrow_that_is_there_is_refused()
    {
        var without = House.Arrows.ToDictionary(
            room => room.Key, room => room.Key == "Leadership" ? room.Value.Except(["Election"]).ToArray() : room.Value, StringComparer.Ordinal);
        Assert.Contains("Leadership → Election: Ha.Leadership.ElectionRunner → Ha.Election.ElectionCore", Unlisted(without));
    }

    private static IEnumerable<(string From, string To, TypeArrow Arrow)> Between() =>
        from arrow in _arrows
        where arrow.IsOwn
        let @from = House.RoomOf(arrow.From)
        let to = House.RoomOf(arrow.To)
        where @from is not (null or House.Doors) && to is not null && @from != to
        select (@from, to, arrow);

    private static string[] Unlisted(IReadOnlyDictionary<string, string[]> house) =>
    [
        .. Between()
            .Where(arrow => !(house.TryGetValue(arrow.From, out var allowed) && allowed.Contains(arrow.To)))
            .Select(arrow => $"{arrow.From} → {arrow.To}: {arrow.Arrow.From} → {arrow.Arrow.To}")
            .Order(StringComparer.Ordinal),
    ];

    private static HashSet<string> Reached(string room, Dictionary<string, string[]> rooms)
    {
        var reached = new HashSet<string>(StringComparer.Ordinal);
        var next = new Stack<string>(rooms[room]);
        while (next.TryPop(out var to))
        {
            if (reached.Add(to))
            {
                Array.ForEach(rooms[to], next.Push);
            }
        }

        return reached;
    }

    [GeneratedRegex("^    (?<from>[A-Za-z.]+) --> (?<to>.+)$", RegexOptions.Multiline)]
    private static partial Regex DrawnArrows();

    [GeneratedRegex("`([A-Z][A-Za-z]*/[A-Za-z/]*(\\.cs)?)`")]
    private static partial Regex NamedPaths();
}
