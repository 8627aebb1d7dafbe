namespace Hotpatch.Rules;

/// <summary>What a count of failures says about the true rate of failures.</summary>
public static class Confidence
{
    public const double Level = 0.95;

    // 60 halvings leave less than a double can tell apart.
    private const int Halvings = 60;
    private const double Negligible = 1e-18;

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
        var choices = LogChoices(of, failures);
        var (low, high) = ((double)failures / of, 1.0);
        for (var i = 0; i < Halvings; i++)
        {
            var middle = (low + high) / 2;
            if (AtMost(failures, of, middle, choices) > 1 - Level) low = middle;
            else high = middle;
        }
        return high;
    }

    // P(X <= k) of the binomial distribution at a rate above k/n, where the terms only shrink downwards from the k-th.
    private static double AtMost(int k, int n, double rate, double logChoices)
    {
        var term = Math.Exp(logChoices + k * Math.Log(rate) + (n - k) * Math.Log(1 - rate));
        var sum = term;
        for (var i = k; i > 0 && term > sum * Negligible; i--) sum += term *= i * (1 - rate) / ((n - i + 1) * rate);
        return sum;
    }

    // By logarithms: the number itself would not fit.
    private static double LogChoices(int n, int k)
    {
        var sum = 0.0;
        for (var i = 1; i <= k; i++) sum += Math.Log((double)(n - i + 1) / i);
        return sum;
    }
}
