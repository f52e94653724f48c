using System.Net;

namespace Ha.Chaos.Nodes;

/// <summary>The store that elects, with what can be done to it. Its processes are made to fail one by one.</summary>
internal interface IStoreServer : IAsyncDisposable
{
    /// <summary>The server and what stands before it.</summary>
    IReadOnlyList<ServerProcess> Processes { get; }

    /// <summary>What <c>BASE_LEASE_STORE</c> is where the store, or a way to it, is reached at an address.</summary>
    string LeaseStore(string address, int port);

    /// <summary>Makes the server need room on its disk.</summary>
    Task UseRoomAsync();

    /// <summary>
    /// Ends the connections that come from certain addresses. Where a pool stands between, the server knows no one's from
    /// another's, and all are ended.
    /// </summary>
    /// <returns>How many that were.</returns>
    Task<int> TerminateAsync(Func<IPEndPoint, bool> whose);

    /// <summary>Takes all the connections that the server, or the pool, has to give, until disposed.</summary>
    Occupation Occupy();
}
