using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Saga;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

/// <summary>
/// Drives the rollout logic through seeded schedules of endpoints that succeed, fail, stay silent, report twice and out of order, with
/// pauses, resumes and clock jumps between, and holds it to the invariants after every step. A failure names its seed.
/// </summary>
public sealed class CarryingAPatchThroughRings
{
    private const int Seeds = 10_000;
    private static readonly DateTimeOffset Noon = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Keeps_its_invariants_under_ten_thousand_schedules()
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var run = new Run(seed);
            run.Play();
            Assert.True(run.Violation is null, $"seed {seed}: {run.Violation}");
        }
    }

    [Fact]
    public void Completes_when_every_endpoint_becomes_healthy()
    {
        var run = new Run(seed: 1, healthyOnly: true);
        run.Play();

        Assert.Equal(RolloutPhase.Completed, run.Rollout.Phase);
        Assert.All(run.Rollout.Rings, ring => Assert.Equal(ring.Endpoints.Count, ring.Healthy));
    }

    [Fact]
    public void Rolls_the_canary_back_and_never_opens_the_next_ring_when_the_canary_fails()
    {
        var run = new Run(seed: 1, failingOnly: true);
        run.Play();

        Assert.Equal(RolloutPhase.RolledBack, run.Rollout.Phase);
        Assert.Equal(0, run.Rollout.CurrentRing);
        Assert.Single(run.Facts.OfType<RingOpened>());
    }

    [Fact]
    public void Every_verdict_recomputes_from_its_stored_inputs()
    {
        for (var seed = 0; seed < 500; seed++)
        {
            var run = new Run(seed);
            run.Play();
            foreach (var stored in run.Facts.OfType<GateEvaluated>())
                Assert.Equal((stored.Verdict, stored.Reason), GateRule.Evaluate(stored.Inputs, stored.Gate));
        }
    }

    private sealed class Run
    {
        private readonly Random _random;
        private readonly bool _healthyOnly;
        private readonly bool _failingOnly;
        private readonly List<OrderCompleted> _sent = [];
        private readonly Dictionary<(Guid, OrderKind), long> _sequence = [];
        private DateTimeOffset _now = Noon;

        public Run(int seed, bool healthyOnly = false, bool failingOnly = false)
        {
            (_random, _healthyOnly, _failingOnly) = (new Random(seed), healthyOnly, failingOnly);
            var endpoints = Enumerable.Range(1, 8).Select(n => new Guid(n, 0, 0, new byte[8])).ToList();
            var rings = new[] { new PlannedRing("canary", endpoints[..1]), new PlannedRing("early", endpoints[1..3]), new PlannedRing("rest", endpoints[3..]) };
            var gate = new Gate(healthyOnly || failingOnly ? 0 : _random.Next(0, 2), _random.Next(0, 2) == 0 ? 100 : 60, 30);
            Record(new RolloutPlanned(Guid.CreateVersion7(Noon), "r", Guid.Empty, "p", "sha256:0", rings, gate, 5,
                failingOnly || _random.Next(0, 2) == 0 ? OnFailure.RollBack : OnFailure.Pause, "s", "d", "", "anna", Noon));
            Record(new RolloutStarted(Rollout.Id, "anna", Noon));
        }

        public Rollout Rollout { get; } = new();
        public List<object> Facts { get; } = [];
        public string? Violation { get; private set; }

        public void Play()
        {
            for (var step = 0; step < 200 && Violation is null && !Rollout.HasEnded; step++)
            {
                Act();
                NextStep.All(Rollout, _now, Outside.Nothing, Record);
                Violation = Check();
            }
        }

        private void Act()
        {
            _now = _now.AddSeconds(_random.NextDouble() * 3);
            switch (_random.Next(0, 10))
            {
                case < 6: Hear(Report()); break;
                case 6 when _sent.Count > 0: Hear(_sent[_random.Next(_sent.Count)]); break;             // a redelivery
                case 7 when !_healthyOnly && !_failingOnly: Apply(PauseRollout.Decide(Rollout, Asked)); break;
                case 8 when Rollout.Phase == RolloutPhase.Paused: Apply(ResumeRollout.Decide(Rollout, Asked)); break;
                case 9 when !_healthyOnly && !_failingOnly && _random.Next(0, 8) == 0: _now = _now.AddSeconds(40); break;
            }
        }

        private Order Asked => new("test", "anna", _now);

        private void Apply(Decision decision)
        {
            foreach (var fact in decision.Events) Record(fact);
        }

        private void Hear(OrderCompleted? outcome)
        {
            if (outcome is null) return;
            foreach (var tallied in Judging.Tally(Rollout, new OutcomesRecorded(Rollout.Id, 0, [outcome]), _now).ToList()) Record(Judging.WithNumbers(Rollout, tallied));
        }

        // Only endpoints that were told to can report.
        private OrderCompleted? Report()
        {
            if (Rollout.Reached.Count == 0) return null;
            var endpoint = Rollout.Reached[_random.Next(Rollout.Reached.Count)];
            var kind = Rollout.Phase == RolloutPhase.RollingBack ? OrderKind.RollBack : OrderKind.Apply;
            if (_sequence.ContainsKey((endpoint, kind))) return null;
            var result = kind == OrderKind.RollBack
                ? _failingOnly || _random.Next(0, 10) > 0 ? OrderResult.RolledBack : OrderResult.RollbackFaulted
                : _failingOnly ? OrderResult.Unhealthy
                : _healthyOnly || _random.Next(0, 10) > 0 ? OrderResult.Healthy : (OrderResult)_random.Next(1, 5);
            var sequence = _sequence.Count + 1;
            _sequence[(endpoint, kind)] = sequence;
            var outcome = new OrderCompleted(endpoint, sequence, Guid.Empty, kind, Rollout.Id, Guid.Empty, "sha256:0", result, 1, 100, null, _now);
            _sent.Add(outcome);
            return outcome;
        }

        private void Record(object fact)
        {
            Rollout.Fold(fact);
            Facts.Add(fact);
        }

        private string? Check()
        {
            var opened = Facts.OfType<RingOpened>().Select(fact => fact.Ring).ToList();
            if (opened.Distinct().Count() != opened.Count) return "a ring opened twice";
            if (!opened.SequenceEqual(Enumerable.Range(0, opened.Count))) return "rings opened out of order";
            foreach (var ring in opened.Where(ring => ring > 0))
            {
                var before = Facts.TakeWhile(fact => fact is not RingOpened open || open.Ring != ring).ToList();
                var baked = before.OfType<GateEvaluated>().Any(gate => gate.Ring == ring - 1 && gate is { Verdict: GateVerdict.Pass, Inputs.Baked: true });
                if (!baked) return $"ring {ring} opened before the gate of ring {ring - 1} passed and baked";
            }
            var failedAt = Facts.FindIndex(fact => fact is GateEvaluated { Verdict: GateVerdict.Fail });
            if (failedAt >= 0 && Rollout.OnFailure == OnFailure.RollBack && Facts.Skip(failedAt).Any(fact => fact is RingOpened)) return "a ring opened after a failed gate";
            if (Rollout.Phase == RolloutPhase.RolledBack)
            {
                var ended = Facts.OfType<RolloutRolledBack>().Single();
                if (Rollout.Reached.Count != ended.RolledBack + ended.Open.Count) return "a rollback lost sight of an endpoint";
            }
            if (Rollout.Rings.Any(ring => ring.Healthy + ring.Failed + ring.NotApplicable + ring.Open != ring.Endpoints.Count)) return "a ring's numbers do not add up";
            var epochs = Facts.Select(EpochOf).Where(epoch => epoch > 0).ToList();
            return epochs.Zip(epochs.Skip(1)).Any(pair => pair.First >= pair.Second) ? "the epoch did not rise" : null;
        }

        private static int EpochOf(object fact) => fact switch
        {
            RingOpened opened => opened.Epoch,
            RolloutPaused paused => paused.Epoch,
            RolloutResumed resumed => resumed.Epoch,
            RollbackOrdered rollback => rollback.Epoch,
            _ => 0,
        };
    }
}
