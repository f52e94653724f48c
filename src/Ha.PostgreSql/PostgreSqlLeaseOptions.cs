namespace Ha.PostgreSql;

/// <summary>Settings of a <see cref="PostgreSqlLeaseStore"/>, the same on all nodes. Read once, when the store is made.</summary>
public sealed class PostgreSqlLeaseOptions
{
    /// <value>
    /// The schema of the table, which must exist: lower-case letters, digits and underscores, at most 63. Always written out, so
    /// that no <c>search_path</c> leads two nodes to two tables. Default <c>public</c>.
    /// </value>
    public string Schema { get; set; } = "public";

    /// <value>The table; characters as of <see cref="Schema"/>. Many clusters may share one. Default <c>ha_lease</c>.</value>
    public string Table { get; set; } = "ha_lease";

    /// <value>
    /// Create the table where it is missing. False: somebody runs <see cref="PostgreSqlLeaseStore.CreateTableSql"/> before. Default true.
    /// </value>
    public bool CreateTable { get; set; } = true;

    /// <value>
    /// The connection string for LISTEN, or its name in the configuration; for those whose other one leads through a pooler in
    /// transaction mode, which loses it. Empty: do not listen, members poll every third of a lease. Default null: as the store's.
    /// </value>
    public string? ListenConnectionString { get; set; }
}
