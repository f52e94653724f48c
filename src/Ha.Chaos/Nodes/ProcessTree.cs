using System.Globalization;

namespace Ha.Chaos.Nodes;

/// <summary>Processes by their parents, as Linux shows them. A server's processes may lead sessions of their own, so a group does not name them all.</summary>
internal static class ProcessTree
{
    /// <summary>All that a process has started, and what those have, without itself.</summary>
    public static IReadOnlyList<int> Below(int pid)
    {
        var children = Directory.GetDirectories("/proc").Select(Path.GetFileName)
            .Where(name => char.IsAsciiDigit(name![0])).Select(name => int.Parse(name!, CultureInfo.InvariantCulture))
            .Select(child => (Pid: child, Parent: Look(child).Parent)).ToLookup(p => p.Parent, p => p.Pid);
        var found = children[pid].ToList();
        for (var i = 0; i < found.Count; i++)
        {
            found.AddRange(children[found[i]]);
        }

        return found;
    }

    /// <summary>It has ended, whether or not anybody asked for its exit code.</summary>
    public static bool IsGone(int pid) => Look(pid).State is 'Z' or 'X' or '-';

    private static (char State, int Parent) Look(int pid)
    {
        try
        {
            // The name before it may hold anything, in parentheses.
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var words = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return (words[0][0], int.Parse(words[1], CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            return ('-', 0);
        }
    }
}
