namespace Hotpatch.Cli.Simulation;

/// <summary>
/// Numbers that follow from a seed, an agent and an occasion alone: the same fleet meets the same fates in every run, whatever the order in
/// which the network lets them happen.
/// </summary>
internal static class Dice
{
    /// <param name="occasion">Names what is decided, such as the n-th thing an agent begins.</param>
    /// <param name="roll">Several numbers of one occasion.</param>
    /// <returns>At least 0, less than 1.</returns>
    public static double Share(long seed, int agent, long occasion, int roll) =>
        (Bits(seed, agent, occasion, roll) >> 11) * (1.0 / (1UL << 53));

    public static TimeSpan Between(TimeSpan least, TimeSpan most, double share) => least + (most - least) * share;

    // Steele, Lea, Flood: "Fast splittable pseudorandom number generators" (2014), the finalizer of SplitMix64, once for each part.
    private static ulong Bits(long seed, int agent, long occasion, int roll)
    {
        var bits = Mix((ulong)seed);
        bits = Mix(bits ^ (uint)agent);
        bits = Mix(bits ^ (ulong)occasion);
        return Mix(bits ^ (uint)roll);
    }

    private static ulong Mix(ulong bits)
    {
        bits += 0x9e3779b97f4a7c15;
        bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
        bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
        return bits ^ (bits >> 31);
    }
}
