using System.Globalization;

namespace Hotpatch.Engine.Kernel;

/// <summary>Which kernel runs: the GNU build-id names one exact build; a release is a name that several builds share.</summary>
/// <param name="Release">As <c>uname -r</c>.</param>
/// <param name="Boot">A number that this boot alone has, for the place that a process has its start time in.</param>
internal sealed record KernelIdentity(string BuildId, string Release, long Boot)
{
    private const int BootDigits = 12;      // 48 bits: also exact as a JavaScript number

    /// <returns>Null when this kernel has no livepatch interface, or does not say which build it is.</returns>
    public static KernelIdentity? Read(KernelPaths paths)
    {
        if (!Directory.Exists(paths.Livepatches) || BuildIdOf(paths.Notes) is not { } buildId) return null;
        return new KernelIdentity(buildId, KernelTree.Text($"{paths.Proc}/sys/kernel/osrelease"), BootOf(KernelTree.Text($"{paths.Proc}/sys/kernel/random/boot_id")));
    }

    public static string? BuildIdOf(string notes)
    {
        try
        {
            return Elf.BuildId.Find(File.ReadAllBytes(notes));
        }
        catch (Exception away) when (away is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // Not the boot's time: that moves whenever the clock is set.
    private static long BootOf(string id)
    {
        var digits = id.Replace("-", "", StringComparison.Ordinal);
        return digits.Length >= BootDigits && long.TryParse(digits.AsSpan(0, BootDigits), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var number) && number > 0 ? number : 1;
    }
}
