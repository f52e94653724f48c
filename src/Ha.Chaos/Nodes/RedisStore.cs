using System.Net;
using System.Net.Sockets;
using Ha.Chaos.Network;
using Ha.Cli.Processes;

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
        _server = new ServerProcess("Redis", place.Run("redis-server", "--bind", place.Address, "--port", $"{place.Port}", "--unixsocket", _socket,
            "--dir", folder, "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--protected-mode", "no", "--maxclients", $"{MostClients}"),
            AnswersAsync, log)
        {
            Ends = [(Posix.SigTerm, "terminated")],
        };
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
        var list = await Tool.RunAsync("redis-cli", "-s", _socket, "CLIENT", "LIST");
        var ids = list.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ').Select(w => w.Split('=', 2)).Where(w => w.Length == 2).ToDictionary(w => w[0], w => w[1], StringComparer.Ordinal))
            .Where(client => IPEndPoint.TryParse(client["addr"], out var from) && whose(from)).Select(client => client["id"]).ToArray();
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
