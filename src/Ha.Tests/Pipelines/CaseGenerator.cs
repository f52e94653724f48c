using System.Globalization;
using Ha.Http;

namespace Ha.Tests.Pipelines;

/// <summary>Draws a case from its seed, and nothing else.</summary>
internal sealed class CaseGenerator
{
    private static readonly TimeSpan _shortTimeout = TimeSpan.FromMilliseconds(20);
    private static readonly int[] _holds = [0, 30, 30, 150, 400];
    private static readonly int[] _answers = [0, 1, 100, 2000, 4095, 4096, 4097, 16_384, 70_000, 200_000];
    private static readonly int[] _bodies = [0, 1, 100, 500, 5000, 65_536, 65_537, 150_000];
    private static readonly string[] _methods = ["POST", "POST", "POST", "PUT", "PATCH", "DELETE", "GET"];

    private static readonly StageKind[] _ordinary =
    [
        StageKind.ExceptionPath, StageKind.ExceptionPath, StageKind.ExceptionLambda, StageKind.ExceptionProblem, StageKind.DeveloperPage,
        StageKind.StatusPages, StageKind.StatusReExecute, StageKind.StatusReExecute, StageKind.Timeouts, StageKind.Decompression,
        StageKind.ResponseCaching, StageKind.OutputCache, StageKind.Compression, StageKind.ForwardedHeaders, StageKind.Cors,
        StageKind.SwapBody, StageKind.ReadAndRewind, StageKind.CatchAll, StageKind.LateHeader,
    ];

    private readonly Random _random;
    private readonly int _seed;

    private CaseGenerator(int seed)
    {
        _seed = seed;
        _random = new Random(seed);
    }

    public static PipelineCase Of(int seed) => new CaseGenerator(seed).Draw();

    private PipelineCase Draw()
    {
        var stages = DrawStages();
        var drawn = new PipelineCase
        {
            Seed = _seed,
            Stages = stages,
            Requests = [],
            Happenings = [],
            Mode = Chance(70) ? ForwardMode.Proxy : ForwardMode.Redirect,
            Hold = TimeSpan.FromMilliseconds(One(_holds)),
            PublicInfo = Chance(90),
            FirstLeader = _random.Next(2),
            HandlesExceptions = Chance(15),
            DefaultTimeout = Chance(15) ? _shortTimeout : null,
            Http2 = Chance(30),
        };
        var happenings = DrawHappenings(out var count);
        var requests = new RequestPlan[count];
        for (var i = 0; i < count; i++)
        {
            var leaves = happenings.Any(h => h.Request == i && h.Change == Change.ClientLeaves);
            requests[i] = DrawRequest(drawn, i, leaves);
        }

        return drawn with { Requests = requests, Happenings = happenings };
    }

    private Stage[] DrawStages()
    {
        var kinds = new List<StageKind>();
        var count = _random.Next(7);
        for (var i = 0; i < count; i++)
        {
            var kind = One(_ordinary);
            if (!kinds.Contains(kind))
            {
                kinds.Add(kind);
            }
        }

        AddSometimes(kinds, StageKind.Routing, 60);
        AddSometimes(kinds, StageKind.PathBase, 10);
        AddSometimes(kinds, StageKind.Map, 12);
        var places = Chance(15) ? 0 : Chance(10) ? 2 : 1;
        for (var i = 0; i < places; i++)
        {
            kinds.Add(StageKind.Ha);
        }

        AddSometimes(kinds, StageKind.When, 15);
        _random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(kinds));
        if (kinds.Contains(StageKind.Routing) && Chance(30))
        {
            // It looks at what routing has found.
            kinds.Insert(_random.Next(kinds.IndexOf(StageKind.Routing) + 1, kinds.Count + 1), StageKind.Antiforgery);
        }

        return [.. kinds.Select(kind => kind == StageKind.When ? DrawBranch(kinds) : new Stage(kind))];
    }

    // The framework refuses a second response cache on one way, so what stands outside does not stand inside again.
    private Stage DrawBranch(List<StageKind> outside)
    {
        var inner = new List<StageKind>();
        AddSometimes(inner, StageKind.Ha, 60);
        AddSometimes(inner, One(_ordinary), 50);
        AddSometimes(inner, One(_ordinary), 30);
        _random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(inner));
        return new Stage(StageKind.When, [.. inner.Distinct().Where(kind => kind == StageKind.Ha || !outside.Contains(kind)).Select(kind => new Stage(kind))]);
    }

    private Happening[] DrawHappenings(out int requests)
    {
        requests = Chance(70) ? 1 : Chance(60) ? 2 : 3;
        if (Chance(40))
        {
            return [];
        }

        var happenings = new Happening[_random.Next(1, 4)];
        for (var i = 0; i < happenings.Length; i++)
        {
            var change = (Change)_random.Next(8);
            var moment = (Moment)_random.Next(6);
            happenings[i] = new Happening(_random.Next(requests), moment, change);
        }

        return happenings;
    }

    private RequestPlan DrawRequest(PipelineCase drawn, int index, bool leaves)
    {
        var routed = drawn.Stages.Any(stage => stage.Kind == StageKind.Routing);
        var method = One(_methods);
        var get = method == "GET";
        var form = !get && Chance(12);
        var antiforgery = form && drawn.Has(StageKind.Antiforgery) && Chance(80);
        var body = get ? 0 : form ? _random.Next(3000) : One(_bodies);
        var plan = new RequestPlan
        {
            Id = string.Create(CultureInfo.InvariantCulture, $"{_seed}-{index}"),
            Method = method,
            Entry = _random.Next(2),
            Choice = !routed ? NodeChoice.ByMethod : get || Chance(15) ? NodeChoice.LeaderOnly : Chance(12) ? NodeChoice.AnyNode : NodeChoice.ByMethod,
            HonorsKey = routed && Chance(25),
            Key = Chance(60) ? Key.None : (Key)_random.Next(1, 4),
            ShortTimeout = routed && drawn.Has(StageKind.Timeouts) && Chance(25),
            Antiforgery = antiforgery,
            TakesBranch = drawn.Has(StageKind.When) && Chance(70),
            Framing = form || body == 0 ? Framing.Length : (Framing)_random.Next(4),
            BodyOffset = _random.Next(Noise.Length - 200_000),
            BodyLength = body,
            SentIn = _random.Next(1, 4),
            Gzip = !form && body > 0 && Chance(drawn.Has(StageKind.Decompression) ? 50 : 5),
            Form = form,
            Close = Chance(15),
            AcceptsGzip = Chance(30),
            WantsTrailers = drawn.Http2 && Chance(25),
            LeavesInBody = leaves && body > 0 && !form && Chance(25),
        };
        return DrawHandler(plan, leaves || drawn.TimesOut(plan));
    }

    private RequestPlan DrawHandler(RequestPlan plan, bool endsEarly)
    {
        var act = Chance(45) ? Act.Answer : (Act)_random.Next(13);
        if (endsEarly && Chance(50))
        {
            act = Act.WaitForCancellation;
        }
        else if (act == Act.WaitForCancellation)
        {
            act = Act.Answer;
        }

        var length = One(_answers);
        return plan with
        {
            Reading = plan.Form ? (Chance(70) ? Reading.Form : Reading.Nothing) : Chance(60) ? Reading.Everything : (Reading)_random.Next(3),
            ChecksLease = Chance(40),
            Act = act,
            Wrapping = (Wrapping)_random.Next(3),
            Refuses = (Refuses)_random.Next(3),
            Commits = act is not (Act.OutcomeUnknown or Act.LeaseLostInCommit) || Chance(50),
            AnswerOffset = _random.Next(Noise.Length - 200_000),
            AnswerLength = act == Act.StartThenThrow ? Math.Max(length, 2000) : length,
            AnswerPieces = _random.Next(1, 6),
            AnswerHasLength = Chance(50),
            Flushes = Chance(40),
            Writing = (Writing)_random.Next(3),
        };
    }

    private void AddSometimes(List<StageKind> kinds, StageKind kind, int percent)
    {
        if (Chance(percent))
        {
            kinds.Add(kind);
        }
    }

    private bool Chance(int percent) => _random.Next(100) < percent;

    private T One<T>(T[] of) => of[_random.Next(of.Length)];
}
