using System.Text.Json;
using Ha.Election;

namespace Ha.Heartbeat;

/// <summary>
/// Reads one message. Members may come in any order, known ones at most once, unknown ones are skipped. Malformed JSON
/// throws out of the inner reader; <see cref="BeatJson"/> catches that.
/// </summary>
internal ref struct BeatReader(ReadOnlySpan<byte> utf8)
{
    private Utf8JsonReader _json = new(utf8, new JsonReaderOptions { MaxDepth = BeatLimits.MaxDepth });

    /// <summary>What was wrong, once a method has returned false.</summary>
    public string Reason { get; private set; } = "";

    public bool TryRead(out BeatDraft draft)
    {
        draft = default;
        var walk = new Walk(Wire.Request);
        if (!Open())
        {
            return false;
        }

        while (Next(ref walk))
        {
            var read = walk.Member switch
            {
                0 => TryFacts(ref draft.From),
                1 => JsonFields.Identity(ref _json, out draft.ToIncarnation),
                2 => JsonFields.Identity(ref _json, out draft.Nonce),
                3 => JsonFields.Integer(ref _json, BeatLimits.MaxSafeInteger, out draft.Seq),
                4 => JsonFields.Word(ref _json, Wire.Ops, out draft.Op),
                5 => JsonFields.Epoch(ref _json, out draft.OpEpoch),
                _ => JsonFields.Duration(ref _json, out draft.OpDurationMicros),
            };
            if (!read)
            {
                return Refuse(walk);
            }
        }

        return Close(walk);
    }

    public bool TryRead(out ReplyDraft draft)
    {
        draft = default;
        var walk = new Walk(Wire.Reply);
        if (!Open())
        {
            return false;
        }

        while (Next(ref walk))
        {
            var read = walk.Member switch
            {
                0 => JsonFields.Word(ref _json, Wire.Statuses, out draft.Status),
                1 => TryFacts(ref draft.From),
                2 => JsonFields.Identity(ref _json, out draft.ToIncarnation),
                3 => JsonFields.Integer(ref _json, BeatLimits.MaxSafeInteger, out draft.Seq),
                4 => JsonFields.Identity(ref _json, out draft.Nonce),
                5 => JsonFields.Epoch(ref _json, out draft.OpEpoch),
                6 => JsonFields.Boolean(ref _json, out draft.Granted),
                7 => JsonFields.Word(ref _json, Wire.Refusals, out draft.Refusal),
                8 => JsonFields.Duration(ref _json, out draft.RefusalRemainingMicros),
                _ => JsonFields.Epoch(ref _json, out draft.EpochFloor),
            };
            if (!read)
            {
                return Refuse(walk);
            }
        }

        return Close(walk);
    }

    private bool TryFacts(ref FactsDraft draft)
    {
        var walk = new Walk(Wire.Facts);
        if (_json.TokenType != JsonTokenType.StartObject)
        {
            return false;
        }

        while (Next(ref walk))
        {
            if (!TryFact(walk.Member, ref draft))
            {
                return Refuse(walk);
            }
        }

        return Complete(walk);
    }

    private bool TryFact(int member, ref FactsDraft draft) => member switch
    {
        0 => JsonFields.Id(ref _json, out draft.ClusterId),
        1 => JsonFields.Id(ref _json, out draft.Id),
        2 => JsonFields.Identity(ref _json, out draft.Incarnation),
        3 => JsonFields.Target(ref _json, out draft.Target),
        4 => JsonFields.Target(ref _json, out draft.PublicTarget),
        5 => JsonFields.Id(ref _json, out draft.Digest),
        6 => JsonFields.Duration(ref _json, out draft.LeaseMicros),
        7 => JsonFields.Duration(ref _json, out draft.CandidacyMicros),
        8 => JsonFields.Boolean(ref _json, out draft.Majority),
        9 => JsonFields.Boolean(ref _json, out draft.Witness),
        10 => JsonFields.Boolean(ref _json, out draft.Quarantined),
        11 => JsonFields.Word(ref _json, Wire.Roles, out draft.Role),
        12 => JsonFields.Boolean(ref _json, out draft.Eligible),
        13 => JsonFields.Integer(ref _json, BeatLimits.MaxReach, out draft.Reach),
        14 => JsonFields.Epoch(ref _json, out draft.Epoch),
        15 => JsonFields.Duration(ref _json, out draft.LeaseRemainingMicros),
        16 => JsonFields.Epoch(ref _json, out draft.MaxEpoch),
        17 => JsonFields.Integer(ref _json, BeatLimits.MaxSafeInteger, out draft.WallMicros),
        18 => JsonFields.Epoch(ref _json, out draft.ReleasedUpTo),
        19 => JsonFields.Epoch(ref _json, out draft.CancelledEpoch),
        20 => TryGrant(out draft.Grant),
        21 => TryHint(out draft.Hint),
        _ => JsonFields.Id(ref _json, out draft.Successor),
    };

    private bool TryGrant(out GrantFacts? grant)
    {
        grant = null;
        string? holder = null;
        long epoch = 0, remaining = 0;
        var walk = new Walk(Wire.Grant);
        if (_json.TokenType != JsonTokenType.StartObject)
        {
            return false;
        }

        while (Next(ref walk))
        {
            var read = walk.Member switch
            {
                0 => JsonFields.Id(ref _json, out holder),
                1 => JsonFields.Epoch(ref _json, out epoch),
                _ => JsonFields.Duration(ref _json, out remaining),
            };
            if (!read)
            {
                return Refuse(walk);
            }
        }

        grant = new GrantFacts(holder!, epoch, remaining);
        return Complete(walk);
    }

    private bool TryHint(out LeaderHint? hint)
    {
        hint = null;
        string? target = null;
        var epoch = 0L;
        var walk = new Walk(Wire.Hint);
        if (_json.TokenType != JsonTokenType.StartObject)
        {
            return false;
        }

        while (Next(ref walk))
        {
            var read = walk.Member == 0 ? JsonFields.Target(ref _json, out target) : JsonFields.Epoch(ref _json, out epoch);
            if (!read)
            {
                return Refuse(walk);
            }
        }

        hint = new LeaderHint(target!, epoch);
        return Complete(walk);
    }

    private bool Open() => (_json.Read() && _json.TokenType == JsonTokenType.StartObject) || Refuse("not a JSON object");

    // Reading on to the end lets the inner reader refuse whatever follows the object.
    private bool Close(Walk walk) => Complete(walk) && !_json.Read();

    /// <summary>Moves to the next known member's value. False at the end of the object and on a duplicate.</summary>
    private bool Next(ref Walk walk)
    {
        while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
        {
            var member = walk.Names.Find(ref _json, walk.Member + 1);
            _json.Read();
            if (member < 0)
            {
                _json.Skip();
                continue;
            }

            // An absent optional member may also be spelled out as null.
            var bit = 1u << member;
            walk.Member = member;
            if ((walk.Seen & bit) != 0)
            {
                walk.Duplicate = true;
                return false;
            }

            walk.Seen |= bit;
            if (_json.TokenType != JsonTokenType.Null || (walk.Names.Required & bit) != 0)
            {
                return true;
            }
        }

        return false;
    }

    private bool Complete(Walk walk)
    {
        if (walk.Duplicate)
        {
            return Refuse($"member {walk.Name} is given twice");
        }

        return (walk.Seen & walk.Names.Required) == walk.Names.Required || Refuse($"member {walk.FirstMissing} is missing");
    }

    private bool Refuse(Walk walk) => Refuse($"member {walk.Name} has a wrong type or value");

    private bool Refuse(string reason)
    {
        // The innermost refusal says most.
        Reason = Reason.Length == 0 ? reason : Reason;
        return false;
    }

    /// <summary>How far one object has been read.</summary>
    private struct Walk(MemberNames names)
    {
        public readonly MemberNames Names = names;
        public int Member = -1;
        public uint Seen;
        public bool Duplicate;

        public readonly string Name => Names.Names[Member];

        public readonly string FirstMissing => Names.Names[int.TrailingZeroCount((int)(Names.Required & ~Seen))];
    }
}
