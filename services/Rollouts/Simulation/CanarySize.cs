using Hotpatch.Contracts.Rollouts;
using Hotpatch.Rollouts.Saga;

namespace Hotpatch.Rollouts.Simulation;

/// <summary>How many endpoints a first ring needs to hold a bad patch back: the binomial distribution, judged by the real gate.</summary>
public static class CanarySize
{
    private const int SizeMax = 100_000;
    private const double Miss = 0.05;

    /// <summary>The smallest ring that passes a patch of this failure rate with at most 5 %, and a good one at all; null when none up to 100,000 does.</summary>
    /// <param name="rate">Chance of each endpoint to fail, independently, 0 to 1.</param>
    public static int? Smallest(Gate gate, double rate)
    {
        if (rate <= 0) return null;
        // The failures the gate forgives grow with the ring, and with them the chance that so few happen: both follow step by step.
        var forgiven = -1;
        double atMost = 0, exactly = 0;
        for (var size = 1; size <= SizeMax; size++)
        {
            if (forgiven >= 0)
            {
                atMost -= rate * exactly;
                exactly *= (1 - rate) * size / (size - forgiven);
            }
            while (Passes(gate, size, forgiven + 1))
            {
                forgiven++;
                exactly = forgiven == 0 ? Math.Pow(1 - rate, size) : exactly * (size - forgiven + 1) / forgiven * (rate / (1 - rate));
                atMost += exactly;
            }
            for (; forgiven >= 0 && !Passes(gate, size, forgiven); forgiven--)
            {
                atMost -= exactly;
                exactly *= forgiven * (1 - rate) / ((size - forgiven + 1) * rate);
            }
            if (forgiven >= 0 && (forgiven < size || rate < 1) && atMost <= Miss) return size;
        }
        return null;
    }

    private static bool Passes(Gate gate, int size, int failed) => failed <= size && GateRule.Evaluate(
        new GateInputs(size, size - failed, failed, 0, 0, Baked: true, DeadlinePassed: false), gate with { Metrics = null }).Verdict == GateVerdict.Pass;
}
