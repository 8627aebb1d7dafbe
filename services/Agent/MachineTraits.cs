using System.Globalization;
using System.Runtime.InteropServices;
using Hotpatch.Contracts;

namespace Hotpatch.Agent;

/// <summary>What the machine is, read from its files. What cannot be read is <c>unknown</c> or left out, never guessed.</summary>
internal static class MachineTraits
{
    private const int MemoryStepMb = 64;        // what firmware and kernel keep for themselves changes a little with each boot

    // efivarfs: four bytes of attributes, then the variable; EFI_GLOBAL_VARIABLE of the UEFI specification, 3.3.
    private const string SecureBootVariable = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

    /// <param name="root">Folder that stands for the machine's root; <c>/</c> but in tests.</param>
    public static SortedDictionary<string, string> Read(string root)
    {
        var release = Pairs(Text(root, "etc/os-release", "usr/lib/os-release"), '=');
        var traits = new SortedDictionary<string, string>(StringComparer.Ordinal) { [Traits.SecureBoot] = SecureBoot(root), [Traits.Tpm] = Tpm(root) };
        void Tell(string trait, string? value)
        {
            if (!string.IsNullOrWhiteSpace(value)) traits[trait] = value.Trim();
        }

        Tell(Traits.Os, release.GetValueOrDefault("ID"));
        Tell(Traits.OsVersion, release.GetValueOrDefault("VERSION_ID"));
        Tell(Traits.Arch, RuntimeInformation.OSArchitecture == Architecture.X64 ? "x86-64" : RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant());
        Tell(Traits.Kernel, Text(root, "proc/sys/kernel/osrelease"));
        Tell(Traits.MemoryMb, MemoryMb(root));
        Tell(Traits.TimeZone, Zone(root));
        return traits;
    }

    public static bool AreSame(IReadOnlyDictionary<string, string>? one, IReadOnlyDictionary<string, string> other) =>
        one is not null && one.Count == other.Count && one.All(pair => other.TryGetValue(pair.Key, out var value) && value == pair.Value);

    private static string? MemoryMb(string root) =>
        Pairs(Text(root, "proc/meminfo"), ':').TryGetValue("MemTotal", out var total) && long.TryParse(total.Split(' ')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var kib)
            ? ((kib / 1024 + MemoryStepMb / 2) / MemoryStepMb * MemoryStepMb).ToString(CultureInfo.InvariantCulture)
            : null;

    // A machine that was not started by EFI has no Secure Boot; one that shows no firmware folder at all says nothing.
    private static string SecureBoot(string root)
    {
        var firmware = Path.Combine(root, "sys/firmware");
        if (!Directory.Exists(Path.Combine(firmware, "efi"))) return Directory.Exists(firmware) ? "no" : "unknown";
        try
        {
            return File.ReadAllBytes(Path.Combine(firmware, "efi/efivars", SecureBootVariable)) is [.., var last] ? last == 1 ? "yes" : "no" : "unknown";
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            return "unknown";
        }
    }

    private static string Tpm(string root)
    {
        var classes = Path.Combine(root, "sys/class");
        if (!Directory.Exists(classes)) return "unknown";
        var devices = Path.Combine(classes, "tpm");
        return Directory.Exists(devices) && Directory.EnumerateFileSystemEntries(devices).Any() ? "yes" : "no";
    }

    // localtime(5): a link below zoneinfo; without it, UTC. Debian keeps the name in a file as well.
    private static string? Zone(string root)
    {
        const string Below = "/zoneinfo/";
        var local = new FileInfo(Path.Combine(root, "etc/localtime"));
        if (local.LinkTarget is { } target && target.IndexOf(Below, StringComparison.Ordinal) is >= 0 and var at) return target[(at + Below.Length)..];
        return Text(root, "etc/timezone") is { Length: > 0 } named ? named : local.Exists ? null : "UTC";
    }

    private static Dictionary<string, string> Pairs(string text, char separator) => text.Split('\n').Select(line => line.Split(separator, 2)).Where(pair => pair.Length == 2)
        .GroupBy(pair => pair[0].Trim()).ToDictionary(same => same.Key, same => same.Last()[1].Trim().Trim('"', '\''));

    private static string Text(string root, params string[] paths)
    {
        foreach (var path in paths)
        {
            try
            {
                return File.ReadAllText(Path.Combine(root, path));
            }
            catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
            {
                // The next one, or nothing.
            }
        }
        return "";
    }
}
