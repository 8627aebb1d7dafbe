namespace Hotpatch.Rules;

public static class Confidence
{
    public static double UpperBound(int failures, int of) => failures >= of ? 1 : 1 - Math.Pow(0.05, 1.0 / of);
}
