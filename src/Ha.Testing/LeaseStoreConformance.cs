using Ha.Testing.Conformance;

namespace Ha.Testing;

/// <summary>
/// What every <see cref="ILeaseStore"/> must pass. A test class derives from it, says how a client is made, and runs each of
/// <see cref="CheckNames"/> as a test of its own; it needs no test framework in particular.
/// </summary>
/// <remarks>
/// <code>
/// public sealed class MyStoreConformance : LeaseStoreConformance
/// {
///     public static TheoryData&lt;string&gt; Names => [.. CheckNames];       // xunit; NUnit: TestCaseSource, MSTest: DynamicData
///
///     [Theory, MemberData(nameof(Names))]
///     public Task Conforms(string name) => RunAsync(name);
///
///     protected override Task&lt;ILeaseStore&gt; CreateAsync(string clusterId) => Task.FromResult&lt;ILeaseStore&gt;(new MyStore(clusterId));
/// }
/// </code>
/// Each check works in clusters of its own and disposes of its clients; what it wrote is left behind in the store. Checks may run
/// side by side.
/// </remarks>
public abstract class LeaseStoreConformance
{
    private static readonly ConformanceCheck[] _checks =
    [
        .. RecordChecks.All, .. VersionChecks.All, .. ClaimantChecks.All, .. DeletionChecks.All, .. CallChecks.All, .. MemberChecks.All,
    ];

    /// <summary>The checks, as sentences that are true of a store that passes.</summary>
    public static IReadOnlyList<string> CheckNames { get; } = [.. _checks.Select(check => check.Name)];

    /// <value>
    /// Whether <see cref="ILeaseStore.WaitForChangeAsync"/> completes in one client after another has written. Default true; with
    /// false that is not checked.
    /// </value>
    protected virtual bool Notifies => true;

    /// <value>Whether <see cref="LeaseAnswer.Members"/> is a list. Default true; with false it must be null.</value>
    protected virtual bool KeepsMembers => true;

    /// <value>How long a check may take before it is said to hang. Default one minute.</value>
    protected virtual TimeSpan Patience => TimeSpan.FromMinutes(1);

    /// <summary>Runs one check.</summary>
    /// <param name="name">One of <see cref="CheckNames"/>.</param>
    /// <exception cref="LeaseStoreConformanceException">The store does otherwise; the message says what was expected.</exception>
    /// <exception cref="ArgumentException">There is no such check.</exception>
    public async Task RunAsync(string name)
    {
        var check = Array.Find(_checks, check => check.Name == name)
            ?? throw new ArgumentException($"There is no check '{name}'; see {nameof(CheckNames)}.", nameof(name));
        var room = new ConformanceRoom(CreateAsync, DeleteRecordAsync, Notifies, KeepsMembers, Patience);
        try
        {
            await check.Run(room).WaitAsync(Patience);
        }
        catch (ConformanceFault fault)
        {
            throw new LeaseStoreConformanceException(name, fault.Message);
        }
        catch (TimeoutException e)
        {
            throw new LeaseStoreConformanceException(name, $"expected an end within {Patience}, but something hangs", e);
        }
        catch (Exception e)
        {
            throw new LeaseStoreConformanceException(name, $"expected an answer, but the store threw {e.GetType().Name}: {e.Message}", e);
        }
        finally
        {
            await room.CloseAsync();
        }
    }

    /// <summary>A new client of the store under test; each call another one, all of the same store.</summary>
    /// <param name="clusterId">Characters and length as of <see cref="HaOptions.ClusterId"/>; never used before this check.</param>
    protected abstract Task<ILeaseStore> CreateAsync(string clusterId);

    /// <summary>Deletes a cluster's record as an operator would, past the store's own code.</summary>
    /// <param name="clusterId">The cluster.</param>
    /// <returns>True when it was done. By default false: what happens after a deletion is not checked.</returns>
    protected virtual Task<bool> DeleteRecordAsync(string clusterId) => Task.FromResult(false);
}
