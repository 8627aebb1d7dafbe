namespace Hotpatch.Tests.Fuzz;

/// <summary>
/// Every choice of one input. SplitMix64 (Steele, Lea, Flood 2014): the same seed and index give the same input on every runtime, which
/// <see cref="Random"/> does not promise.
/// </summary>
public sealed class Dice(ulong seed, long index)
{
    private ulong _state = seed * 0x9e37_79b9_7f4a_7c15 ^ (ulong)index * 0xd1b5_4a32_d192_ed03;

    public ulong Next()
    {
        _state += 0x9e37_79b9_7f4a_7c15;
        var mixed = (_state ^ _state >> 30) * 0xbf58_476d_1ce4_e5b9;
        mixed = (mixed ^ mixed >> 27) * 0x94d0_49bb_1331_11eb;
        return mixed ^ mixed >> 31;
    }

    /// <summary>0 to one less than the bound; 0 for a bound below 2.</summary>
    public int Below(int bound) => bound < 2 ? 0 : (int)(Next() % (ulong)bound);

    public int Between(int least, int most) => least + Below(most - least + 1);

    public bool Percent(int share) => Below(100) < share;

    public T Of<T>(IReadOnlyList<T> choices) => choices[Below(choices.Count)];

    /// <summary>A range within a length: short ones more often than long ones.</summary>
    public (int Start, int Length) Range(int length)
    {
        var start = Below(length);
        return (start, Math.Min(length - start, Percent(80) ? Between(1, 16) : Between(1, Math.Max(1, length / 2))));
    }
}
