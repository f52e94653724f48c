using System.Text.Json.Serialization;
using Ha.Endpoints;

namespace Ha.Cli.Nodes;

/// <summary>What several nodes say, put together. Immutable; as JSON it is what <c>--json</c> prints.</summary>
/// <param name="Leader">The node that leads, by the word of the highest epoch; null: nobody is known to.</param>
/// <param name="LeaderUrl">Where that node is reached from here; null: unknown.</param>
/// <param name="Epoch">The leader's; 0: none.</param>
/// <param name="LeaseRemainingMs">Milliseconds, unless it is renewed; null: a fixed leader's has no end. 0: no leader.</param>
/// <param name="Quorum">Who decides; empty: nobody said.</param>
/// <param name="ExitCode">What <c>ha status</c> ends with.</param>
/// <param name="Nodes">In the order of their ids.</param>
internal sealed record ClusterStatus(
    string? Leader, string? LeaderUrl, long Epoch, long? LeaseRemainingMs, string Quorum, ExitCode ExitCode, IReadOnlyList<NodeRow> Nodes)
{
    /// <summary>The one that leads; null: there is none, or nobody says where.</summary>
    [JsonIgnore]
    public NodeRow? LeaderRow => Leader is null ? null

        // All that others know of a fixed leader is its URL.
        : RowOf(Leader) ?? Nodes.FirstOrDefault(row => row.NodeId.Length == 0 && string.Equals(row.Url, Leader, StringComparison.Ordinal));

    /// <summary>More than one node says that it leads.</summary>
    [JsonIgnore]
    public bool IsSplit => Nodes.Where(row => row.Leads).DistinctBy(row => row.NodeId, StringComparer.Ordinal).Count() > 1;

    /// <summary>Of a node that was named under several URLs the one that answers.</summary>
    public NodeRow? RowOf(string nodeId) => Nodes
        .Where(row => string.Equals(row.NodeId, nodeId, StringComparison.Ordinal))
        .OrderByDescending(row => row.Leads).ThenByDescending(row => row.Answers == true)
        .FirstOrDefault();

    /// <summary>Asks all nodes at once.</summary>
    public static async Task<ClusterStatus> LookAsync(NodeClient client, IReadOnlyList<string> urls, CancellationToken cancellationToken)
    {
        for (var again = true; ; again = false)
        {
            var status = Of(await Task.WhenAll(urls.Select(url => client.AskAsync(url, cancellationToken))));
            if (!again || !status.IsSplit)
            {
                // Nobody answers at the same moment as another: two that lead may be the one before a handoff and the one after it.
                return status;
            }
        }
    }

    public static ClusterStatus Of(IReadOnlyList<NodeAnswer> answers)
    {
        var told = answers.Where(answer => answer.Leader is not null).ToArray();
        var best = told.Where(answer => answer.Leader!.NodeId.Length > 0)
            .OrderByDescending(answer => answer.Leader!.Epoch).ThenByDescending(answer => answer.Leads).FirstOrDefault()?.Leader;
        var members = told.SelectMany(answer => answer.Members, (answer, view) => (View: view, answer.HearsOthers))
            .GroupBy(item => item.View.Target, StringComparer.Ordinal)
            .Select(group => Member.Of(group.Key, [.. group.Select(item => item.View)], group.Any(item => item.HearsOthers)))
            .ToArray();
        var asked = answers.Select(answer => NodeRow.Of(answer, Array.Find(members, member => member.Is(answer))));
        var heardOf = members.Where(member => !answers.Any(member.Is)).Select(NodeRow.Of);
        var rows = asked.Concat(heardOf).OrderBy(row => row.NodeId, StringComparer.Ordinal).ThenBy(row => row.Url, StringComparer.Ordinal).ToArray();
        var status = new ClusterStatus(
            best?.NodeId,
            LeaderUrl: null,
            best?.Epoch ?? 0,
            best is null ? 0 : best.LeaseRemainingMs,
            told.FirstOrDefault()?.Leader!.Quorum ?? "",
            ExitCode.Done,
            rows);
        return status with
        {
            LeaderUrl = status.LeaderRow is { Url.Length: > 0 } leader ? leader.Url : null,
            ExitCode = Verdict(status, answers),
        };
    }

    private static ExitCode Verdict(ClusterStatus status, IReadOnlyList<NodeAnswer> answers)
    {
        // What a person can put right comes before what may pass.
        if (answers.Any(answer => answer.Trouble?.Code == ExitCode.WrongToken))
        {
            return ExitCode.WrongToken;
        }

        if (answers.All(answer => answer.Trouble is not null))
        {
            return answers.Select(answer => answer.Trouble!.Code).OrderBy(code => code == ExitCode.NotReachable).First();
        }

        return status.Leader is null || status.IsSplit ? ExitCode.NoLeader
            : status.Nodes.Any(row => row.IsDown) ? ExitCode.SomeSilent
            : ExitCode.Done;
    }
}

/// <param name="Target">As members reach it.</param>
/// <param name="NodeId">Empty: nobody has ever heard it.</param>
/// <param name="Views">What each node that answered says of it.</param>
/// <param name="IsHeard">One of these would hear it if it is up.</param>
internal sealed record Member(string Target, string NodeId, IReadOnlyList<PeerAnswer> Views, bool IsHeard)
{
    public static Member Of(string target, IReadOnlyList<PeerAnswer> views, bool isHeard) =>
        new(target, views.Select(view => view.NodeId).FirstOrDefault(id => id.Length > 0) ?? "", views, isHeard);

    public bool Up => Views.Any(view => view.Up);

    public string Role => Views.Where(view => view.Up).Select(view => view.Role).FirstOrDefault() ?? "unknown";

    public bool Paused => Views.Any(view => view.Paused);

    public bool Unhealthy => Views.Any(view => view.Unhealthy);

    public string? ConfigMismatch => Views.Select(view => view.ConfigMismatch).FirstOrDefault(text => text is not null);

    /// <summary>By its name, since not everybody reaches it at the same URL; one that is silent has its URL only.</summary>
    public bool Is(NodeAnswer answer) => answer.Self is { } self
        ? string.Equals(self.NodeId, NodeId, StringComparison.Ordinal)
        : string.Equals(answer.Url, Target, StringComparison.Ordinal);
}

/// <summary>One node. Immutable.</summary>
/// <param name="NodeId">Empty: it does not answer, and nobody knows whose URL this is.</param>
/// <param name="Url">As it was given; of a node that was not, as members reach it.</param>
/// <param name="Answers">Null: it was not asked, others told of it.</param>
/// <param name="Up">It answers, or another one hears it.</param>
/// <param name="Leads">It says so itself.</param>
/// <param name="Role"><c>leader</c>, <c>candidate</c>, <c>follower</c>, <c>witness</c> or <c>unknown</c>.</param>
/// <param name="Epoch">What it knows; 0: of no leader.</param>
/// <param name="LeaseRemainingMs">What it knows of the leader's lease; null: no end, or it was not asked.</param>
/// <param name="Paused">It was told not to lead.</param>
/// <param name="Unhealthy">Its application's health keeps it from leading.</param>
/// <param name="ConfigMismatch">How its settings differ from those of another one; null: they agree.</param>
/// <param name="Error">Why it does not answer; null: it does, or was not asked.</param>
/// <param name="WhyNobodyLeads">A clause by which it explains that it knows no leader; null: it knows one, or says nothing.</param>
internal sealed record NodeRow(
    string NodeId,
    string Url,
    bool? Answers,
    bool Up,
    bool Leads,
    string Role,
    long Epoch,
    long? LeaseRemainingMs,
    bool Paused,
    bool Unhealthy,
    string? ConfigMismatch,
    string? Error,
    string? WhyNobodyLeads = null)
{
    /// <summary>A few words for people.</summary>
    [JsonIgnore]
    public string State { get; init; } = "";

    /// <summary>It was asked and does not answer, or was not and those that would hear it do not.</summary>
    [JsonIgnore]
    public bool IsDown { get; init; }

    public static NodeRow Of(NodeAnswer answer, Member? member) =>
        answer is { Self: { } self, Leader: { } leader }
            ? new NodeRow(
                self.NodeId, answer.Url, Answers: true, Up: true, answer.Leads, self.Role, leader.Epoch, leader.LeaseRemainingMs,
                self.Paused, self.Unhealthy, member?.ConfigMismatch, Error: null, leader.WhyNobodyLeads)
            { State = answer.Leads ? "leader" : self.Role }
            : Of(member ?? new Member(answer.Url, "", [], IsHeard: false)) with
            {
                Answers = false,
                IsDown = true,
                Error = answer.Trouble?.Words,
                State = answer.Trouble?.Code switch
                {
                    ExitCode.NotReachable => "not answering",
                    ExitCode.WrongToken => "wrong token",
                    _ => "no answer of a node",
                },
            };

    public static NodeRow Of(Member member) => new(
        member.NodeId, member.Target, Answers: null, member.Up, Leads: false, member.Role, 0, LeaseRemainingMs: null,
        member.Paused, member.Unhealthy, member.ConfigMismatch, Error: null)
    {
        State = member.Up ? member.Role : member.IsHeard ? "down" : "not asked",
        IsDown = !member.Up && member.IsHeard,
    };
}
