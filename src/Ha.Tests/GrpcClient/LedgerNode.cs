using System.Data.Common;
using Grpc.Core;
using Ha.Tests.GrpcCalls;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MinimalApiApp.Notes;

namespace Ha.Tests.GrpcClient;

/// <summary>
/// The program behind the verb <c>ledger-node</c>: a gRPC method that writes what it is told, once for each idempotency key, into the
/// database that the nodes share (the example's, behind its fence), and says which node did it and how the call came.
/// </summary>
internal static class LedgerNode
{
    public const string Verb = "ledger-node";

    public static int Run(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Ha", LogLevel.Information);
        var sql = builder.AddNotesAsync(TimeProvider.System).GetAwaiter().GetResult();
        builder.Services.AddHa(options => options.RaiseFence = (epoch, stop) => sql.Fence.RaiseAsync(sql.Source, epoch, stop));
        builder.Services.AddHaGrpc();
        var app = builder.Build();
        app.MapHaGrpcHealth();
        app.MapGrpcService<Ledger>();
        app.Run();
        return 0;
    }

    private sealed class Ledger(NotesDatabase database) : Calls.CallsBase
    {
        public override async Task<Said> Unary(Said request, ServerCallContext context)
        {
            var key = context.RequestHeaders.GetValue("idempotency-key") ?? throw new RpcException(new Status(StatusCode.InvalidArgument, "no key"));
            var node = await database.WriteAsync(async transaction =>
            {
                if (await transaction.FirstOrDefaultAsync("SELECT body FROM answers WHERE key = @key", Body, ("key", key)) is { } first)
                {
                    return first;
                }

                await transaction.InsertAsync(
                    "INSERT INTO notes (text, node, epoch) VALUES (@text, @node, @epoch) RETURNING id", ("text", request.Text));
                await transaction.ExecuteAsync(
                    "INSERT INTO answers (key, fingerprint, status, body, at) VALUES (@key, '', 0, @node, 0)", ("key", key));
                return transaction.Node;
            }, context.CancellationToken);
            var way = context.RequestHeaders.Get(HaHeaders.ForwardedBy.ToLowerInvariant()) is null ? "direct" : "forwarded";
            return new Said { Text = $"{node} {way}" };
        }

        private static string Body(DbDataReader row) => row.GetString(0);
    }
}
