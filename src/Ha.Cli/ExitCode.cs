namespace Ha.Cli;

/// <summary>What a script is told; the table is in docs/cli.md. The numbers never change their meaning.</summary>
internal enum ExitCode
{
    Done = 0,

    /// <summary>The application cannot run as a cluster, a key is wrong, or an answer is none that a node gives.</summary>
    Failed = 1,
    WrongUsage = 2,

    /// <summary>Nobody leads, or more than one node says that it does.</summary>
    NoLeader = 3,
    NotReachable = 4,

    /// <summary>There is a leader, but a member does not answer.</summary>
    SomeSilent = 5,

    /// <summary>409.</summary>
    Refused = 6,

    /// <summary>401, or there is no token to send.</summary>
    WrongToken = 7,

    /// <summary>404: the node has no admin token, or it is no node.</summary>
    NoSuchRoute = 8,
    TimedOut = 9,
}
