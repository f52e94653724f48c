using System.Globalization;
using Ha.Election;

namespace Ha.Tests.Simulation;

/// <summary>The verbs of a script.</summary>
internal static class ScenarioActions
{
    public static void Do(ScenarioStage stage, string[] words)
    {
        switch (words)
        {
            case ["start"]:
                Array.ForEach(stage.World.Nodes, node => node.Start());
                break;
            case ["start", .. var names]:
                Array.ForEach(names, name => stage.Node(name).Start());
                break;
            case ["crash", .. var names]:
                Array.ForEach(names, name => stage.Node(name).Crash("crash"));
                break;
            case ["restart", .. var names]:
                foreach (string name in names)
                {
                    stage.Node(name).Crash("restart");
                    stage.Node(name).Start();
                }

                break;
            case ["pause", .. var names]:
                Array.ForEach(names, name => stage.Node(name).Pause("its process gets no CPU"));
                break;
            case ["resume", .. var names]:
                Array.ForEach(names, name => stage.Node(name).Resume(shuffled: false));
                break;
            case ["vmstop", var name]:
                stage.Node(name).Pause("its VM is stopped, clock included");
                stage.Node(name).Clock.Stop(stage.World.Now);
                break;
            case ["vmresume", var name]:
                stage.Node(name).Clock.Continue(stage.World.Now);
                stage.Node(name).Resume(shuffled: false);
                break;
            case ["starve", var name, var length]:
                stage.Node(name).StarvedUntil = stage.World.Now + Scenario.Duration(length);
                break;
            case ["wall", var name, var by]:
                stage.Node(name).Clock.StepWall(Scenario.Duration(by));
                break;
            case ["rate", var name, var ppm]:
                stage.Node(name).Clock.SetRate(stage.World.Now, int.Parse(ppm, CultureInfo.InvariantCulture));
                break;
            case ["stepdown", var name]:
                stage.LastStepDown = stage.Node(name).StepDown(null, HandoffReason.StepDown).Result.ToString();
                break;
            case ["stepdown", var name, "to", var successor]:
                stage.LastStepDown = stage.Node(name).StepDown(successor, HandoffReason.StepDown).Result.ToString();
                break;
            case ["aside", var name]:
                stage.LastStepDown = stage.Node(name).StandAside(null).Result.ToString();
                break;
            case ["aside", var name, "to", var successor]:
                stage.LastStepDown = stage.Node(name).StandAside(successor).Result.ToString();
                break;
            case ["ill", .. var names]:
                Array.ForEach(names, name => stage.Node(name).SetTrouble("its database is gone"));
                break;
            case ["stand", .. var names]:
                Array.ForEach(names, name => stage.Node(name).StandAgain());
                break;
            case ["terminate", var name]:
                stage.Node(name).Terminate(() => { });
                break;
            case ["write", var write, "on", var name, "for", var length, .. var rest]:
                stage.Writes[write] = stage.Node(name).EnterWriter(Scenario.Duration(length), checks: rest is not ["unchecked"]);
                break;
            case ["fence", "at", var ahead]:
                stage.World.Register.Raise(
                    NodeClock.WallEpoch + stage.World.Now + Scenario.Duration(ahead), Guid.Empty, "an earlier life");
                break;
            case ["alias", var name, var node]:
                stage.World.Aliases[ScenarioStage.Target(name)] = ScenarioStage.Target(node);
                break;
            case ["mark"]:
                stage.Mark();
                break;
            default:
                OnTheNetwork(stage, words);
                break;
        }
    }

    private static void OnTheNetwork(ScenarioStage stage, string[] words)
    {
        var network = stage.World.Network;
        switch (words)
        {
            case ["cut", .. var links]:
                ForEachLink(stage, links, (from, to) => network.Cut(from, to, long.MaxValue));
                break;
            case ["mend"]:
                network.Heal();
                break;
            case ["mend", .. var links]:
                ForEachLink(stage, links, network.Mend);
                break;
            case ["hold" or "drop" or "copy", var kind, var link, .. var rest]:
                AddRule(stage, words[0], kind, link, 0, rest is ["once"]);
                break;
            case ["delay", var by, var kind, var link, .. var rest]:
                AddRule(stage, "delay", kind, link, Scenario.Duration(by), rest is ["once"]);
                break;
            case ["pass"]:
                Rules(stage).Clear();
                break;
            case ["deliver"]:
                if (Rules(stage).DeliverHeld() == 0)
                    throw new ScenarioException("nothing was held");

                break;
            case ["forget"]:
                Rules(stage).ForgetHeld();
                break;
            case ["replay"]:
                if (Rules(stage).ReplayCopies() == 0)
                    throw new ScenarioException("nothing was copied");

                break;
            default:
                throw new ScenarioException("this is no instruction");
        }
    }

    private static MessageRules Rules(ScenarioStage stage) =>
        stage.World.Network.Rules ??= new MessageRules(stage.World);

    private static void AddRule(ScenarioStage stage, string action, string kind, string link, long delay, bool once)
    {
        var (from, to) = Ends(stage, link);
        if (!MessageRule.Kinds.Contains(kind))
            throw new ScenarioException($"there is no message '{kind}'");

        Rules(stage).Add(new MessageRule(Enum.Parse<RuleAction>(action, ignoreCase: true), kind, from, to, delay, once));
    }

    private static (int From, int To) Ends(ScenarioStage stage, string link) =>
        link.Split('>') is [var from, var to]
            ? (stage.Index(from), stage.Index(to))
            : throw new ScenarioException($"'{link}' is no link, write A>B");

    /// <summary>A: all links of A. A&gt;B: one direction. A-B: both. Stars stand for everybody.</summary>
    private static void ForEachLink(ScenarioStage stage, string[] links, Action<int, int> act)
    {
        int count = stage.World.Nodes.Length;
        foreach (string link in links)
        {
            string[] ends = link.Split('>', '-');
            int one = stage.Index(ends[0]);
            int two = ends.Length > 1 ? stage.Index(ends[1]) : -1;
            for (int from = 0; from < count; from++)
            {
                for (int to = 0; to < count; to++)
                {
                    bool forth = (one < 0 || one == from) && (two < 0 || two == to);
                    bool back = !link.Contains('>', StringComparison.Ordinal) && (one < 0 || one == to) && (two < 0 || two == from);
                    if (from != to && (forth || back))
                        act(from, to);
                }
            }
        }
    }
}
