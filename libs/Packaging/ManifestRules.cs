using System.Security.Cryptography;
using System.Text.RegularExpressions;

namespace Hotpatch.Packaging;

/// <summary>What a well-formed manifest must also hold to before anybody acts on it.</summary>
internal static partial class ManifestRules
{
    // \z, not $: that would let a line feed at the end pass.
    [GeneratedRegex(@"^[a-z0-9][a-z0-9._-]{0,63}\z")]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"^[0-9a-f]{16,128}\z")]
    private static partial Regex BuildIdPattern();

    [GeneratedRegex(@"^[0-9a-f]{64}\z")]
    private static partial Regex Sha256Pattern();

    // The name becomes part of paths below /sys: nothing but these characters, ever.
    [GeneratedRegex(@"^[A-Za-z0-9_]+\z")]
    private static partial Regex ModulePattern();

    [GeneratedRegex(@"^[A-Za-z0-9_.$]+\z")]
    private static partial Regex KernelSymbolPattern();

    // Debian policy 5.6.1 and deb-version(7); both become arguments of apt-get and dpkg.
    [GeneratedRegex(@"^[a-z0-9][a-z0-9+.-]{1,127}\z")]
    private static partial Regex PackagePattern();

    [GeneratedRegex(@"^[0-9][A-Za-z0-9.+:~-]{0,127}\z")]
    private static partial Regex VersionPattern();

    // systemd.unit(5), less the escapes nobody types.
    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9:_.@-]{0,127}\z")]
    private static partial Regex UnitPattern();

    public static void Check(PatchManifest manifest, ReadOnlyMemory<byte> payload)
    {
        RequireEntries(manifest.Advisories, "advisories");
        RequireEntries(manifest.Targets, "targets");
        RequireEntries(manifest.Probes, "probes");
        Require(NamePattern().IsMatch(manifest.Name), "its name must be lower-case letters, digits, '.', '_' or '-', at most 64.");
        Require(manifest.Level is >= 1 and <= 1_000_000, "its level must be between 1 and 1,000,000.");
        Require(manifest.Severity is "low" or "medium" or "high" or "critical", "its severity must be low, medium, high or critical.");
        Require(manifest.Summary.Length <= 1000, "its summary must be at most 1,000 characters.");
        Require(manifest.Advisories.Count <= 100 && manifest.Advisories.All(id => id.Length is > 0 and <= 64), "an advisory id must have 1 to 64 characters, and there may be 100.");
        Require(manifest.Targets.Count is >= 1 and <= PackageLimits.TargetsMax, $"it must have 1 to {PackageLimits.TargetsMax} targets.");
        Require(manifest.Targets.Select(target => target.BuildId).Distinct().Count() == manifest.Targets.Count, "two targets have the same build-id.");
        Require(manifest.Probes.Count <= PackageLimits.ProbesMax, $"at most {PackageLimits.ProbesMax} probes are allowed.");
        foreach (var probe in manifest.Probes) CheckProbe(probe);
        if (manifest.Fallback is { } fallback) CheckFallback(fallback);
        foreach (var target in manifest.Targets) CheckTarget(target, payload);
        // Objects that lie over one another would be read and hashed far more often than the file is long.
        Require(manifest.Targets.Sum(target => target.Objects.Sum(entry => (long)entry.Length)) <= payload.Length, "its objects are together longer than the payload.");
    }

    private static void CheckProbe(HealthProbe probe)
    {
        Require(probe.Kind is "tcp" or "http" or "command", $"probe '{probe.Name}' is of kind '{probe.Kind}'; tcp, http and command are known.");
        Require(probe.Port is >= 0 and <= 65535, $"probe '{probe.Name}' names port {probe.Port}.");
        var longest = probe.Kind == "command" ? PackageLimits.CommandProbeMillisecondsMax : 60_000;
        Require(probe.TimeoutMilliseconds >= 1 && probe.TimeoutMilliseconds <= longest, $"probe '{probe.Name}' must have a timeout of 1 to {longest:N0} ms.");
        if (probe.Kind == "command")
        {
            Require(probe.Port == 0 && probe.Expect.Length == 0, $"probe '{probe.Name}' is a command: it has no port, and expects exit code 0 only.");
            Require(probe.Send.StartsWith('/') && probe.Send.Length <= 4096 && !probe.Send.Any(char.IsControl), $"probe '{probe.Name}' must name its program by a whole path, with arguments between spaces.");
            return;
        }
        Require(probe.Send.Length <= 4096 && probe.Expect.Length is > 0 and <= 4096, $"probe '{probe.Name}' must expect 1 to 4,096 characters and send at most as many.");
        if (probe.Kind == "http") Require(probe.Send.StartsWith('/') && !probe.Send.Any(letter => letter <= ' ' || letter > '~'), $"probe '{probe.Name}' must ask for a path that begins with '/' and has no spaces.");
    }

    private static void CheckFallback(PackageFallback fallback)
    {
        RequireEntries(fallback.Restart, "units to restart");
        Require(PackagePattern().IsMatch(fallback.Package), $"'{fallback.Package}' is no name of a Debian package.");
        Require(VersionPattern().IsMatch(fallback.Version), $"'{fallback.Version}' is no version of a Debian package.");
        Require(fallback.Restart.Count <= PackageLimits.RestartsMax, $"at most {PackageLimits.RestartsMax} units may be restarted.");
        foreach (var unit in fallback.Restart) Require(UnitPattern().IsMatch(unit), $"'{unit}' is no name of a systemd unit.");
    }

    private static void CheckTarget(TargetManifest target, ReadOnlyMemory<byte> payload)
    {
        RequireEntries(target.Functions, "functions");
        RequireEntries(target.Symbols, "symbols");
        RequireEntries(target.Objects, "objects");
        Require(Enum.IsDefined(target.Consistency), $"target {target.Module} has a consistency that is not known.");
        Require(BuildIdPattern().IsMatch(target.BuildId), "a build-id must be 16 to 128 lower-case hex digits.");
        Require(target.Objects.Count is >= 1 and <= PackageLimits.ObjectsMax, $"target {target.Module} must carry 1 to {PackageLimits.ObjectsMax} objects.");
        foreach (var entry in target.Objects) CheckObject(entry, payload);
        if (target.Livepatch is { } livepatch)
        {
            CheckLivepatch(target, livepatch);
            return;
        }
        Require(target.Functions.Count is >= 1 and <= PackageLimits.FunctionsMax, $"target {target.Module} must replace 1 to {PackageLimits.FunctionsMax} functions.");
        Require(target.Symbols.Count <= PackageLimits.SymbolsMax, $"target {target.Module} binds too many symbols.");
        foreach (var function in target.Functions)
        {
            Require(function.Size is >= 1 and <= PackageLimits.FunctionBytesMax, $"function {function.Name} has a size of {function.Size} bytes.");
            Require(function.Address <= ulong.MaxValue - (ulong)function.Size, $"function {function.Name} lies outside the address space.");
            Require(Sha256Pattern().IsMatch(function.Sha256), $"function {function.Name} has no sha256.");
            Require((uint)function.Object < (uint)target.Objects.Count, $"function {function.Name} names object {function.Object}, which is not there.");
        }
        Require(target.Functions.Select(function => function.Address).Distinct().Count() == target.Functions.Count, $"target {target.Module} replaces one address twice.");
        foreach (var symbol in target.Symbols)
        {
            Require(Enum.IsDefined(symbol.Kind), $"symbol {symbol.Name} is of a kind that is not known.");
            Require(symbol.Object == -1 || (uint)symbol.Object < (uint)target.Objects.Count, $"symbol {symbol.Name} names object {symbol.Object}, which is not there.");
        }
    }

    private static void CheckLivepatch(TargetManifest target, KernelLivepatch livepatch)
    {
        Require(target.Functions.Count == 0 && target.Symbols.Count == 0, $"target {target.Module} is a kernel; its functions belong into its livepatch, and it binds no symbols.");
        Require(IsModule(livepatch.Module), $"'{livepatch.Module}' is no name of a kernel module.");
        Require((uint)livepatch.Object < (uint)target.Objects.Count, $"livepatch {livepatch.Module} names object {livepatch.Object}, which is not there.");
        Require(livepatch.Functions.Count is >= 1 and <= PackageLimits.FunctionsMax, $"livepatch {livepatch.Module} must replace 1 to {PackageLimits.FunctionsMax} functions.");
        foreach (var function in livepatch.Functions)
        {
            Require(IsModule(function.KernelObject), $"'{function.KernelObject}' is neither vmlinux nor a name of a kernel module.");
            Require(KernelSymbolPattern().IsMatch(function.Name) && function.Name.Length <= PackageLimits.KernelSymbolNameMax, $"livepatch {livepatch.Module} names a function that no kernel can have.");
        }
        Require(livepatch.Functions.Distinct().Count() == livepatch.Functions.Count, $"livepatch {livepatch.Module} names a function twice.");
        Require(livepatch.Contains.Count <= PackageLimits.ContainedFixesMax, $"livepatch {livepatch.Module} contains more than {PackageLimits.ContainedFixesMax} fixes.");
        foreach (var contained in livepatch.Contains)
            Require(NamePattern().IsMatch(contained.Name) && contained.Level is >= 1 and <= 1_000_000, $"livepatch {livepatch.Module} contains a fix without a proper name and level.");
    }

    private static bool IsModule(string name) => ModulePattern().IsMatch(name) && name.Length <= PackageLimits.KernelModuleNameMax;

    private static void CheckObject(PayloadObject entry, ReadOnlyMemory<byte> payload)
    {
        Require(entry.Offset >= 0 && entry.Length > 0 && entry.Offset <= payload.Length - (long)entry.Length, $"object {entry.Name} lies outside the payload.");
        var bytes = payload.Span.Slice((int)entry.Offset, entry.Length);
        Require(Convert.ToHexStringLower(SHA256.HashData(bytes)) == entry.Sha256, $"object {entry.Name} does not match its sha256.");
    }

    // The JSON reader sees to members that must not be null, but not to a list's entries.
    private static void RequireEntries(IReadOnlyList<object?> list, string what) => Require(!list.Contains(null), $"one of its {what} is null.");

    private static void Require(bool holds, string otherwise)
    {
        if (!holds) throw PackageFault.Manifest(otherwise);
    }
}
