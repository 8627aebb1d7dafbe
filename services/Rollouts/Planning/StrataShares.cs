namespace Hotpatch.Rollouts.Planning;

/// <summary>
/// How many of each stratum go into each ring: whole numbers that add up to every ring and to every stratum, none of them one or more
/// away from the exact share. Rounding ring by ring cannot promise that, for what one ring rounds up another must round down; such a
/// table always exists, and is found as a flow from rings to strata that carries the remainders (the integrality of network flows).
/// </summary>
internal static class StrataShares
{
    /// <param name="rings">Endpoints of each ring.</param>
    /// <param name="strata">Endpoints of each stratum; both lists have the same sum.</param>
    /// <returns>By ring and stratum.</returns>
    public static int[,] Divide(IReadOnlyList<int> rings, IReadOnlyList<int> strata)
    {
        var total = (long)strata.Sum();
        var shares = new int[rings.Count, strata.Count];
        var remainders = new long[rings.Count, strata.Count];       // in parts of the total; integers, so equal everywhere
        var wanted = rings.ToArray();
        var free = strata.ToArray();
        for (var ring = 0; ring < rings.Count; ring++)
        {
            for (var stratum = 0; stratum < strata.Count; stratum++)
            {
                var exact = (long)rings[ring] * strata[stratum];
                shares[ring, stratum] = total == 0 ? 0 : (int)(exact / total);
                remainders[ring, stratum] = total == 0 ? 0 : exact % total;
                wanted[ring] -= shares[ring, stratum];
                free[stratum] -= shares[ring, stratum];
            }
        }
        new Flow(remainders, wanted, free).AddTo(shares);
        return shares;
    }

    /// <summary>Gives each ring the units it still wants, the largest remainder first, at most one of a stratum.</summary>
    private sealed class Flow(long[,] remainders, int[] wanted, int[] free)
    {
        private readonly bool[,] _given = new bool[wanted.Length, free.Length];
        private readonly List<int>[] _preferred = [.. Enumerable.Range(0, wanted.Length).Select(ring => Enumerable.Range(0, free.Length)
            .Where(stratum => remainders[ring, stratum] > 0).OrderByDescending(stratum => remainders[ring, stratum]).ToList())];

        public void AddTo(int[,] shares)
        {
            for (var ring = 0; ring < wanted.Length; ring++)
                for (var unit = 0; unit < wanted[ring]; unit++)
                    if (!Give(ring, new bool[free.Length])) throw new InvalidOperationException("The rings and the strata do not have the same sum.");
            for (var ring = 0; ring < wanted.Length; ring++)
                for (var stratum = 0; stratum < free.Length; stratum++)
                    if (_given[ring, stratum]) shares[ring, stratum]++;
        }

        // An augmenting path: a stratum with a free unit, or one whose unit another ring can do without for one elsewhere.
        private bool Give(int ring, bool[] visited)
        {
            foreach (var stratum in _preferred[ring])
            {
                if (_given[ring, stratum] || free[stratum] == 0) continue;
                free[stratum]--;
                return _given[ring, stratum] = true;
            }
            foreach (var stratum in _preferred[ring])
            {
                if (_given[ring, stratum] || visited[stratum]) continue;
                visited[stratum] = true;
                for (var other = 0; other < wanted.Length; other++)
                {
                    if (!_given[other, stratum]) continue;
                    _given[other, stratum] = false;
                    if (Give(other, visited)) return _given[ring, stratum] = true;
                    _given[other, stratum] = true;
                }
            }
            return false;
        }
    }
}
