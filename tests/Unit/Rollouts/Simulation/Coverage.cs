using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

/// <summary>What has happened in the schedules that were played: invariants that nothing was done to would always hold.</summary>
internal sealed class Coverage
{
    // Recorded beside a rollout's stream, or of a plan that nobody has acted on.
    private static readonly Type[] Elsewhere = [typeof(PlanRefused), typeof(PlanAmended)];

    private readonly Lock _adding = new();
    private readonly Dictionary<Fault, int> _faults = [];
    private readonly Dictionary<string, int> _facts = [], _ends = [], _outcomes = [], _verdicts = [], _pauses = [];

    public int Schedules { get; private set; }
    public long Steps { get; private set; }

    /// <summary>What nodes of the saga had just stored when they died.</summary>
    public HashSet<Type> DiedAfter { get; } = [];

    public void Add(World world)
    {
        lock (_adding)
        {
            Schedules++;
            Steps += world.Step;
            DiedAfter.UnionWith(world.DiedAfter);
            foreach (var fault in Enum.GetValues<Fault>()) _faults[fault] = Of(fault) + world.Suffered[(int)fault];
            foreach (var log in world.Rollouts)
            {
                Count(_ends, log.Rollout.Phase.ToString());
                foreach (var fact in log.Facts) Add(fact);
            }
            foreach (var completed in world.Gateway.Streams.Values.SelectMany(stream => stream).OfType<OrderCompleted>()) Count(_outcomes, $"{completed.Kind} {completed.Result}");
        }
    }

    public int Of(Fault fault) => _faults.GetValueOrDefault(fault);

    public override string ToString() =>
        $"{Schedules} schedules, {Steps} steps\nfaults: {Each(_faults)}\nrollouts: {Each(_ends)}\nverdicts: {Each(_verdicts)}\npauses: {Each(_pauses)}\noutcomes: {Each(_outcomes)}\nfacts: {Each(_facts)}";

    /// <summary>Every fault, fact, end, verdict, cause and result has been there.</summary>
    public void IsWhole()
    {
        Assert.All(Enum.GetValues<Fault>(), fault => Assert.True(Of(fault) > 0, $"{fault} never happened"));
        Holds(_facts, RolloutsPart.Facts.Except(Elsewhere).Select(fact => fact.Name));
        Holds(_ends, ["Planned", "Paused", "Completed", "RolledBack", "Halted", "Superseded", "Denied"]);
        Holds(_verdicts, Enum.GetNames<GateVerdict>().Except([nameof(GateVerdict.Wait)]));
        Holds(_pauses, ["asked", "gate_failed", "inconclusive", "awaiting_promotion", "window_closed", "freeze", "patch_blocked"]);
        Holds(_outcomes, ["Apply Healthy", "Apply Unhealthy", "Apply Faulted", "Apply Refused", "Apply NotApplicable", "RollBack RolledBack", "RollBack RollbackFaulted", "Update Updated", "Update UpdateFailed"]);
    }

    private static void Holds(Dictionary<string, int> seen, IEnumerable<string> expected) => Assert.All(expected, name => Assert.True(seen.ContainsKey(name), $"{name} never happened"));

    private static void Count(Dictionary<string, int> counts, string what) => counts[what] = counts.GetValueOrDefault(what) + 1;

    private static string Each<T>(Dictionary<T, int> counts) where T : notnull => string.Join(", ", counts.OrderByDescending(pair => pair.Value).Select(pair => $"{pair.Key} {pair.Value}"));

    private void Add(object fact)
    {
        Count(_facts, fact.GetType().Name);
        if (fact is GateEvaluated judged) Count(_verdicts, judged.Verdict.ToString());
        if (fact is RolloutPaused paused) Count(_pauses, paused.Cause);
    }
}
