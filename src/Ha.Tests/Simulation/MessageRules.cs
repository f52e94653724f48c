using Ha.Election;

namespace Ha.Tests.Simulation;

internal enum RuleAction
{
    Drop,
    Hold,
    Delay,
    Copy,
}

/// <param name="Action">What is done.</param>
/// <param name="Kind">any, request, reply, acquire, renew, prepare, plain, release, cancel, grant, refusal.</param>
/// <param name="From">World index, or -1 for anyone.</param>
internal sealed record MessageRule(RuleAction Action, string Kind, int From, int To, long DelayMicros, bool Once)
{
    public static readonly string[] Kinds =
        ["any", "request", "reply", "acquire", "renew", "prepare", "plain", "release", "cancel", "grant", "refusal"];

    public bool Matches(int from, in SimEvent message) =>
        (From < 0 || From == from) && (To < 0 || To == message.Node) && Kind switch
        {
            "any" => true,
            "request" => message.Kind == SimEventKind.Request,
            "reply" => message.Kind == SimEventKind.Reply,
            "acquire" => message.Body is Beat { Op: BeatOp.Acquire },
            "renew" => message.Body is Beat { Op: BeatOp.Renew },
            "prepare" => message.Body is Beat { Op: BeatOp.HandoffPrepare },
            "plain" => message.Body is Beat { Op: BeatOp.None },
            "release" => message.Body is Beat { From.ReleasedUpTo: > 0, From.Role: not NodeRole.Leader }
                or BeatReply { From.ReleasedUpTo: > 0, From.Role: not NodeRole.Leader },
            "cancel" => message.Body is Beat { From.CancelledEpoch: > 0 } or BeatReply { From.CancelledEpoch: > 0 },
            "grant" => message.Body is BeatReply { Granted: true },
            "refusal" => message.Body is BeatReply { Refusal: not Refusal.None },
            _ => false,
        };
}

/// <summary>What a scenario does to single messages: drop, hold until told, delay, or copy for a later replay.</summary>
internal sealed class MessageRules(World world)
{
    private readonly List<MessageRule> _rules = [];
    private readonly List<SimEvent> _held = [];
    private readonly List<SimEvent> _copies = [];

    public void Add(MessageRule rule) => _rules.Add(rule);

    public void Clear() => _rules.Clear();

    /// <summary>True when the message needs no further transport.</summary>
    public bool Takes(int from, in SimEvent message)
    {
        for (int i = 0; i < _rules.Count; i++)
        {
            var rule = _rules[i];
            if (!rule.Matches(from, message))
                continue;

            if (rule.Once)
                _rules.RemoveAt(i);

            Tell(from, message, rule);
            switch (rule.Action)
            {
                case RuleAction.Drop:
                    return true;
                case RuleAction.Hold:
                    _held.Add(message);
                    return true;
                case RuleAction.Delay:
                    world.Network.Deliver(message, rule.DelayMicros);
                    return true;
                default:
                    _copies.Add(message);
                    return false;
            }
        }

        return false;
    }

    public int DeliverHeld() => DeliverAll(_held, empty: true);

    public void ForgetHeld() => _held.Clear();

    public int ReplayCopies() => DeliverAll(_copies, empty: false);

    private int DeliverAll(List<SimEvent> messages, bool empty)
    {
        int count = messages.Count;
        foreach (var message in messages)
            world.Network.Deliver(message, 0);

        if (empty)
            messages.Clear();

        return count;
    }

    private void Tell(int from, in SimEvent message, MessageRule rule) => world.Trace.Line(
        world.Now,
        "net",
        $"{rule.Action.ToString().ToLowerInvariant()}: {SimStory.Tell(message) ?? "a plain beat"} "
        + $"from {world.Nodes[from].Name} to {world.Nodes[message.Node].Name}");
}
