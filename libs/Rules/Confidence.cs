namespace Hotpatch.Rules;

/// <summary>What a count of failures says about the true rate of failures.</summary>
public static class Confidence
{
    public const double Level = 0.95;

    // 60 halvings leave less than a double can tell apart.
    private const int Halvings = 60;

    /// <summary>
    /// The rate (0-1) the true one is below with 95 % confidence: the one-sided bound of Clopper and Pearson (Biometrika 26, 1934), exact
    /// for independent endpoints. No failure in n gives about 3/n.
    /// </summary>
    public static double UpperBound(int failures, int of)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(failures);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(of);
        if (failures >= of) return 1;
        if (failures == 0) return 1 - Math.Pow(1 - Level, 1.0 / of);
        var (low, high) = ((double)failures / of, 1.0);
        for (var i = 0; i < Halvings; i++)
        {
            var middle = (low + high) / 2;
            if (AtMost(failures, of, middle) > 1 - Level) low = middle;
            else high = middle;
        }
        return high;
    }

    // P(X <= k) of the binomial distribution, its terms by their logarithms so that none vanishes.
    private static double AtMost(int k, int n, double rate)
    {
        var (sum, choose) = (0.0, 0.0);
        for (var i = 0; i <= k; i++)
        {
            if (i > 0) choose += Math.Log(n - i + 1) - Math.Log(i);
            sum += Math.Exp(choose + (i * Math.Log(rate)) + ((n - i) * Math.Log(1 - rate)));
        }
        return sum;
    }
}
