using System.Text.Json;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Hotpatch.Rollouts.Saga;
using Marten;

namespace Hotpatch.Rollouts;

/// <summary>
/// How a rollout would have gone under another gate, from what was observed: the same gate function over the recorded outcomes at their
/// recorded times. Beyond what was observed the answer is "unknown", never a guess: a ring that was not opened, or one whose record ends
/// while the other gate would still have waited.
/// </summary>
public static class AskWhatIf
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/rollouts/{reference}/what-if", Handle);

    public static async Task<IResult> Handle(string reference, WhatIfRequest? request, IQuerySession session, CancellationToken ct)
    {
        if (await RolloutCommand.Find(session, reference, ct) is not { } view) return Problems.NotFound("rollout", reference);
        if (request?.Gate is null && request?.BakeSeconds is null)
            return Problems.From(new Refusal("what_if.nothing", "Say what would be different: another gate, or another bake time.", StatusCodes.Status422UnprocessableEntity));
        var stream = await session.Events.FetchStreamAsync(view.Id, token: ct);
        return TypedResults.Ok(Answer([.. stream.Select(stored => stored.Data)], request.Gate, request.BakeSeconds));
    }

    /// <param name="facts">A rollout's stream, oldest first.</param>
    /// <param name="other">The gate to ask instead; null = each ring's own.</param>
    public static WhatIfAnswer Answer(IReadOnlyList<object> facts, Gate? other, int? bakeSeconds)
    {
        var rollout = new Rollout();
        var rings = new Dictionary<int, Asked>();
        foreach (var fact in facts)
        {
            rollout.Fold(fact);
            if (fact is RingOpened opened) rings[opened.Ring] = new Asked(other ?? rollout.GateOf(rollout.Rings[opened.Ring]), bakeSeconds ?? rollout.BakeOf(rollout.Rings[opened.Ring]), opened.At);
            foreach (var (index, asked) in rings) asked.Look(rollout.Rings[index], TimeOf(fact), fact is GateEvaluated judged && judged.Ring == index ? judged : null);
        }
        var answers = rollout.Rings.Select((ring, index) => rings.TryGetValue(index, out var asked) ? asked.Answer(index, ring) : NeverOpened(index, ring)).ToList();
        var decided = answers.FindIndex(ring => ring.Verdict != "pass");
        return new WhatIfAnswer(decided < 0 ? "completed" : answers[decided].Verdict is "unknown" ? "unknown" : "stopped", Cut(answers, decided));
    }

    // After the ring where the other gate would have stopped there is nothing to say of the next ones.
    private static List<WhatIfRing> Cut(List<WhatIfRing> rings, int decided) => decided < 0
        ? rings
        : [.. rings.Select((ring, index) => index <= decided ? ring : ring with { Verdict = "unknown", Reason = $"Ring {rings[decided].RingName} would not have been left.", At = null })];

    private static WhatIfRing NeverOpened(int index, Ring ring) => new(index, ring.Name, "unknown", "The ring never opened, so nothing was observed of it.", null, "not opened", null);

    private static DateTimeOffset TimeOf(object fact) => (DateTimeOffset)fact.GetType().GetProperty("At")!.GetValue(fact)!;

    private sealed class Asked(Gate gate, int bakeSeconds, DateTimeOffset openedAt)
    {
        private readonly DateTimeOffset _openedAt = openedAt;
        private (GateVerdict Verdict, string Reason, DateTimeOffset At)? _decided;
        private DateTimeOffset? _passingSince;
        private DateTimeOffset _seen = openedAt;
        private IReadOnlyList<MetricReading>? _metrics;
        private GateEvaluated? _recorded;

        public void Look(Ring ring, DateTimeOffset at, GateEvaluated? judged)
        {
            _recorded = judged ?? _recorded;
            _metrics = judged?.Inputs.Metrics ?? _metrics;
            _seen = at;
            if (_decided is not null) return;
            var deadline = _openedAt.AddSeconds(gate.DeadlineSeconds);
            var (verdict, reason) = Evaluate(ring, at);
            // Between two facts only the clock moves: a bake that ended, or a deadline that passed, did so before this one.
            if (verdict == GateVerdict.Pass)
            {
                _passingSince ??= at;
                if (at >= _passingSince.Value.AddSeconds(bakeSeconds)) _decided = (verdict, reason, _passingSince.Value.AddSeconds(bakeSeconds));
            }
            else if (verdict is GateVerdict.Fail or GateVerdict.Inconclusive) _decided = (verdict, reason, verdict == GateVerdict.Inconclusive && at > deadline ? deadline : at);
            else _passingSince = null;
        }

        public WhatIfRing Answer(int index, Ring ring)
        {
            var recorded = _recorded is null ? "not judged" : JsonNamingPolicy.CamelCase.ConvertName(_recorded.Verdict.ToString());
            if (_decided is { } decided) return new WhatIfRing(index, ring.Name, JsonNamingPolicy.CamelCase.ConvertName(decided.Verdict.ToString()), decided.Reason, decided.At, recorded, _recorded?.At);
            var reason = _passingSince is { } since
                ? $"It would have baked until {since.AddSeconds(bakeSeconds):u}, and the record ends before."
                : $"The other gate would still have waited when the record ended at {_seen:u}: {Evaluate(ring, _seen).Reason}";
            return new WhatIfRing(index, ring.Name, "unknown", reason, null, recorded, _recorded?.At);
        }

        private (GateVerdict Verdict, string Reason) Evaluate(Ring ring, DateTimeOffset at) => GateRule.Evaluate(
            new GateInputs(ring.Size, ring.Healthy, ring.Failed, ring.NotApplicable, ring.Open, false, at >= _openedAt.AddSeconds(gate.DeadlineSeconds))
            {
                Cancelled = ring.Cancelled,
                Left = ring.LeftCount,
                FailedBy = ring.Numbers?.FailedBy,
                Metrics = _metrics,
            }, gate);
    }
}
