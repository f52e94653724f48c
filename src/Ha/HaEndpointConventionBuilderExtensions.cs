using Ha;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Says per endpoint where it may run and what its answers mean. Takes effect with <c>app.UseHa()</c> after routing.</summary>
public static class HaEndpointConventionBuilderExtensions
{
    /// <summary>Runs on the leader only, whatever the HTTP method. See <see cref="RequireLeaderAttribute"/>.</summary>
    /// <param name="builder">The endpoint, or a group of them.</param>
    /// <returns><paramref name="builder"/>.</returns>
    public static TBuilder RequireLeader<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new RequireLeaderAttribute());

    /// <summary>Runs on any node, whatever the HTTP method. See <see cref="AllowOnAnyNodeAttribute"/>.</summary>
    /// <param name="builder">The endpoint, or a group of them.</param>
    /// <returns><paramref name="builder"/>.</returns>
    public static TBuilder AllowOnAnyNode<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new AllowOnAnyNodeAttribute());

    /// <summary>Redirects to the leader also where writes are proxied. See <see cref="NeverProxyAttribute"/>.</summary>
    /// <param name="builder">The endpoint, or a group of them.</param>
    /// <returns><paramref name="builder"/>.</returns>
    public static TBuilder NeverProxy<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new NeverProxyAttribute());

    /// <summary>May be sent again with the same key. See <see cref="HonorsIdempotencyKeyAttribute"/>.</summary>
    /// <param name="builder">The endpoint, or a group of them.</param>
    /// <returns><paramref name="builder"/>.</returns>
    public static TBuilder HonorsIdempotencyKey<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new HonorsIdempotencyKeyAttribute());

    /// <summary>Its 207 is passed on after the lease was lost too. See <see cref="AnswersPerItemAttribute"/>.</summary>
    /// <param name="builder">The endpoint, or a group of them.</param>
    /// <returns><paramref name="builder"/>.</returns>
    public static TBuilder AnswersPerItem<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new AnswersPerItemAttribute());
}
