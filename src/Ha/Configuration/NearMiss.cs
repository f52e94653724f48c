namespace Ha.Configuration;

/// <summary>Finds the key somebody meant. A mistyped key would otherwise be ignored in silence.</summary>
internal static class NearMiss
{
    /// <summary>Most edits between a mistyped key and the key that was meant.</summary>
    public const int MaxDistance = 2;

    /// <returns>The closest known key within <see cref="MaxDistance"/> edits, or null.</returns>
    public static string? Find(string key, IEnumerable<string> known)
    {
        var upper = key.ToUpperInvariant();
        return known
            .Select(candidate => (candidate, distance: Distance(upper, candidate)))
            .Where(pair => pair.distance <= MaxDistance)
            .OrderBy(pair => pair.distance)
            .Select(pair => pair.candidate)
            .FirstOrDefault();
    }

    /// <summary>Insertions, deletions and replacements that turn one string into the other (Levenshtein).</summary>
    public static int Distance(string a, string b)
    {
        // The length alone settles most pairs, and keeps an absurdly long key from costing anything.
        if (Math.Abs(a.Length - b.Length) > MaxDistance)
        {
            return Math.Abs(a.Length - b.Length);
        }

        var row = new int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++)
        {
            row[j] = j;
        }

        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }
}
