using Microsoft.AspNetCore.Http;

namespace Ha.Http;

/// <summary>Where an endpoint may run.</summary>
internal enum NodeChoice
{
    /// <summary>Nothing said: the HTTP method decides.</summary>
    ByMethod,

    /// <summary>See <see cref="RequireLeaderAttribute"/>.</summary>
    LeaderOnly,

    /// <summary>See <see cref="AllowOnAnyNodeAttribute"/>.</summary>
    AnyNode,
}

/// <summary>Marks everything on an endpoint that has no effect without <c>UseHa()</c>, so that the start can refuse.</summary>
internal interface IHaMetadata;

internal static class HaMetadata
{
    /// <summary>
    /// True when an endpoint would break a promise if nobody read its metadata. One that may run anywhere may also run
    /// wherever an ordinary one would.
    /// </summary>
    public static bool MustBeSeen(EndpointMetadataCollection metadata) =>
        metadata.GetMetadata<INodeChoiceMetadata>()?.Choice == NodeChoice.LeaderOnly
        || metadata.GetOrderedMetadata<IHaMetadata>().Any(item => item is not INodeChoiceMetadata);

    /// <summary>As it is written, for messages.</summary>
    public static string Name(IHaMetadata metadata) => metadata.GetType().Name.Replace(nameof(Attribute), "", StringComparison.Ordinal);
}

/// <summary>One interface for both choices: the last one on an endpoint is the most specific and counts.</summary>
internal interface INodeChoiceMetadata : IHaMetadata
{
    NodeChoice Choice { get; }
}
