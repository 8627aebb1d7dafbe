namespace Hotpatch.Rules;

/// <summary>
/// The order of numbers and versions. Both are runs of digits and letters with anything else between them; digits compare as whole
/// numbers of any length (12.10 is after 12.9), letters by their code, letters before digits. Where one of them ends, missing numbers
/// are 0 (6.1 is 6.1.0), a run of letters and all after it says nothing (6.1.0-20-amd64 is 6.1.0-20), and <c>~</c>
/// comes before the end as in Debian (1.2~rc1 is before 1.2).
/// </summary>
internal static class VersionOrder
{
    private enum Kind { Tilde, End, Letters, Digits }

    public static bool IsOrdered(string value) => value.Length > 0 && char.IsAsciiDigit(value[0]);

    /// <returns>Below, equal to or above 0, as <paramref name="left"/> is to <paramref name="right"/>.</returns>
    public static int Compare(ReadOnlySpan<char> left, ReadOnlySpan<char> right)
    {
        while (true)
        {
            var leftKind = Take(ref left, out var leftRun);
            var rightKind = Take(ref right, out var rightRun);
            if (leftKind == Kind.Tilde || rightKind == Kind.Tilde)
            {
                if (leftKind != rightKind) return leftKind == Kind.Tilde ? -1 : 1;
                continue;
            }
            if (leftKind <= Kind.Letters && rightKind <= Kind.Letters && (leftKind == Kind.End || rightKind == Kind.End)) return 0;
            var order = leftKind == Kind.Letters || rightKind == Kind.Letters
                ? leftKind == rightKind ? leftRun.SequenceCompareTo(rightRun) : leftKind.CompareTo(rightKind)
                : CompareDigits(leftRun, rightRun);
            if (order != 0) return order;
        }
    }

    // The end's run is empty, which is 0.
    private static int CompareDigits(ReadOnlySpan<char> left, ReadOnlySpan<char> right)
    {
        left = left.TrimStart('0');
        right = right.TrimStart('0');
        return left.Length != right.Length ? left.Length.CompareTo(right.Length) : left.SequenceCompareTo(right);
    }

    private static Kind Take(ref ReadOnlySpan<char> rest, out ReadOnlySpan<char> run)
    {
        while (rest.Length > 0 && rest[0] != '~' && !char.IsLetterOrDigit(rest[0])) rest = rest[1..];
        run = [];
        if (rest.Length == 0) return Kind.End;
        var kind = rest[0] == '~' ? Kind.Tilde : char.IsAsciiDigit(rest[0]) ? Kind.Digits : Kind.Letters;
        var length = 1;
        while (kind != Kind.Tilde && length < rest.Length && char.IsLetterOrDigit(rest[length]) && char.IsAsciiDigit(rest[length]) == (kind == Kind.Digits)) length++;
        run = rest[..length];
        rest = rest[length..];
        return kind;
    }
}
