using System.Security.Cryptography;
using System.Text;

namespace Hotpatch.Rollouts.Simulation;

/// <summary>SplitMix64 (Steele, Lea, Flood 2014): the same numbers from the same seed on every machine and runtime.</summary>
internal struct Dice(ulong state)
{
    private ulong _state = state;

    /// <summary>Of one run: runs do not depend on each other, nor on the order or the threads they are played on.</summary>
    public static Dice Of(ulong seed, int run) => new(seed ^ (0x9E3779B97F4A7C15 * (ulong)(run + 1)));

    public static ulong Seed(string text) => BitConverter.ToUInt64(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    /// <summary>Below 1, from 0.</summary>
    public double Next()
    {
        var mixed = _state += 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return ((mixed ^ (mixed >> 31)) >> 11) * (1.0 / (1UL << 53));
    }

    public bool Chance(double rate) => rate > 0 && Next() < rate;
}
