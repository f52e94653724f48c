namespace Ha.Testing.Conformance;

/// <summary>Several at once: exactly one wins, and the others learn who.</summary>
internal static class ClaimantChecks
{
    private const int Duels = 1000;
    private const int FirstDuels = 10;
    private const int Crowd = 10;
    private const int CrowdRounds = 20;
    private const int Threads = 8;
    private const int StepsOfEach = 25;

    public static ConformanceCheck[] All { get; } =
    [
        new("Of two who claim one record at once exactly one wins", Two),
        new("Of two who claim an absent record at once exactly one wins", TwoAtFirst),
        new("Of ten who claim one record at once exactly one wins", Ten),
        new("One client serves many threads, and no write is lost", ManyThreads),
    ];

    private static async Task Two(ConformanceRoom room)
    {
        var clients = await ClientsAsync(room, 2);
        var version = await clients[0].ClaimAsync(Sample.HeldBy(Sample.Member("a"), 1));
        for (var i = 0; i < Duels; i++)
        {
            version = await ContestAsync(clients, version, epoch: i + 2);
        }
    }

    private static async Task TwoAtFirst(ConformanceRoom room)
    {
        for (var i = 0; i < FirstDuels; i++)
        {
            var clusterId = ConformanceRoom.NewClusterId();
            ILeaseStore[] clients = [await room.ClientAsync(clusterId), await room.ClientAsync(clusterId)];
            foreach (var client in clients)
            {
                // Connected, so that both really come at once.
                _ = await client.ReadAsync(Sample.Member("a"), CancellationToken.None);
            }

            await ContestAsync(clients, version: null, epoch: 1);
        }
    }

    private static async Task Ten(ConformanceRoom room)
    {
        var clients = await ClientsAsync(room, Crowd);
        var version = await clients[0].ClaimAsync(Sample.HeldBy(Sample.Member("a"), 1));
        for (var i = 0; i < CrowdRounds; i++)
        {
            version = await ContestAsync(clients, version, epoch: i + 2);
        }
    }

    private static async Task ManyThreads(ConformanceRoom room)
    {
        var client = await room.ClientAsync();
        await client.ClaimAsync(Sample.HeldBy(Sample.Member("a"), 1));
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(_ => Task.Run(() => CountAsync(client))));
        var end = await client.ReadAsync(Sample.Member("a"), CancellationToken.None);
        Expect.Equal(1L + (Threads * StepsOfEach), end.Record?.Epoch, $"the epoch after {Threads * StepsOfEach} writes that each added one");
    }

    private static async Task CountAsync(ILeaseStore client)
    {
        var self = Sample.Member("a");
        for (var done = 0; done < StepsOfEach;)
        {
            var there = await client.ReadAsync(self, CancellationToken.None);

            // Lets the others in between.
            await Task.Yield();
            var next = Sample.HeldBy(self, there.Record!.Epoch + 1);
            done += (await client.TryWriteAsync(next, there.Version, self, CancellationToken.None)).Written ? 1 : 0;
        }
    }

    private static async Task<ILeaseStore[]> ClientsAsync(ConformanceRoom room, int count)
    {
        var clients = new ILeaseStore[count];
        for (var i = 0; i < count; i++)
        {
            clients[i] = await room.ClientAsync();
        }

        return clients;
    }

    /// <summary>All write against one version at once.</summary>
    /// <returns>The version of the winner's record.</returns>
    private static async Task<string> ContestAsync(ILeaseStore[] clients, string? version, long epoch)
    {
        // The same members in each round: a store may list all that it ever saw.
        var records = clients.Select((_, i) => Sample.HeldBy(Sample.Member($"node-{i}", $"{i:x32}"), epoch)).ToArray();
        var answers = await Task.WhenAll(clients.Select((client, i) => Task.Run(() => client.WriteAsync(records[i], version))));
        Expect.Equal(1, answers.Count(answer => answer.Written), $"the number of winners among {clients.Length} in round {epoch}");
        var winner = Array.FindIndex(answers, answer => answer.Written);
        var current = Expect.Written(answers[winner], records[winner], "the winner's write");
        for (var i = 0; i < answers.Length; i++)
        {
            if (i != winner)
            {
                Expect.Refused(answers[i], records[winner], current, "a loser's write");
            }
        }

        return current;
    }
}
