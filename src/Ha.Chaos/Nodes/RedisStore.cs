using System.Net;
using System.Net.Sockets;
using Ha.Chaos.Network;

namespace Ha.Chaos.Nodes;

/// <summary>
/// A lease in Redis, which writes each change to its disk before it answers. Without that a server that is killed forgets its
/// last writes, and the lease with them: no client of it could then keep two leaders apart.
/// </summary>
internal sealed class RedisStore : IStoreServer
{
    private const int MostClients = 32;
    private readonly string _socket;
    private readonly ServerProcess _server;

    private RedisStore(string folder, Place place, string log)
    {
        _socket = Path.Combine(folder, "redis.socket");
        string[] command =
        [
            "redis-server", "--bind", place.Address, "--port", $"{place.Port}", "--unixsocket", _socket, "--dir", folder,
            "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--protected-mode", "no", "--maxclients", $"{MostClients}",
        ];
        _server = new ServerProcess("Redis", place.Run(command), AnswersAsync, log);
    }

    public IReadOnlyList<ServerProcess> Processes => [_server];

    /// <param name="folder">Gets data and a socket.</param>
    /// <param name="place">Where nodes reach it.</param>
    /// <param name="log">Gets what the server says.</param>
    public static async Task<RedisStore> StartAsync(string folder, Place place, string log)
    {
        Directory.CreateDirectory(folder);
        var store = new RedisStore(folder, place, log);
        try
        {
            await store._server.StartAsync();
            return store;
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    public string LeaseStore(string address, int port) => $"redis:{address}:{port}";

    /// <summary>Every write needs some.</summary>
    public Task UseRoomAsync() => Task.CompletedTask;

    public async Task<int> TerminateAsync(Func<IPEndPoint, bool> whose)
    {
        // It lets nobody in, not even us, while all its places are taken.
        var list = await Tool.TryAsync("redis-cli", "-s", _socket, "CLIENT", "LIST");
        var ids = list.Output.Split('\n')
            .Where(client => IPEndPoint.TryParse(Word(client, "addr"), out var from) && whose(from)).Select(client => Word(client, "id")).ToArray();
        foreach (var id in ids)
        {
            await Tool.TryAsync("redis-cli", "-s", _socket, "CLIENT", "KILL", "ID", id);
        }

        return ids.Length;
    }

    public Occupation Occupy() => new(async cancellationToken =>
    {
        var client = await LocalSocket.ConnectAsync(_socket, cancellationToken);
        if (await client.AskAsync("PING", cancellationToken) is "+PONG\r\n")
        {
            return client;
        }

        await client.DisposeAsync();
        throw new SocketException((int)SocketError.ConnectionRefused);
    });

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    /// <summary>Of a line of words like <c>id=3 addr=10.77.0.11:40404</c>; empty when it is not there.</summary>
    private static string Word(string line, string key) =>
        line.Split(' ').FirstOrDefault(w => w.StartsWith(key + "=", StringComparison.Ordinal))?[(key.Length + 1)..] ?? "";

    private async Task<bool> AnswersAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var client = await LocalSocket.ConnectAsync(_socket, cancellationToken);

            // While it reads its files it says that it is loading.
            return await client.AskAsync("PING", cancellationToken) is "+PONG\r\n";
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
