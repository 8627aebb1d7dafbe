using System.Diagnostics;
using System.Text.Json;
using Hotpatch.Contracts.Patcher;
using Hotpatch.Packaging;
using Xunit;

namespace Hotpatch.Tests.Integration.Fixtures;

/// <summary>
/// One booted guest for all tests of a class: the shipped patcher, the livepatches, and their packages, signed by a key that is made for the
/// run. Where QEMU, the kernel or its headers cannot be had, it says why and the tests are skipped.
/// </summary>
public sealed class LivepatchGuest : IDisposable
{
    private const int CannotBeHad = 3;
    private const string StrangerKernel = "0123456789abcdef0123456789abcdef01234567";

    private readonly string _folder = Directory.CreateTempSubdirectory("hotpatch-guest-").FullName;
    private readonly string? _missing;
    private readonly Dictionary<KernelFix, string> _digests = [];
    private readonly QemuGuest? _guest;

    public LivepatchGuest() : this("")
    {
    }

    private LivepatchGuest(string kernelOptions)
    {
        _missing = Prepare();
        if (_missing is not null) return;
        WriteFiles(Path.Combine(_folder, "root"));
        var files = Path.Combine(_folder, "initramfs.gz");
        VictimBuild.Run("bash", Script("pack.sh"), Path.Combine(_folder, "root"), Servers.Patcher, files);
        _guest = QemuGuest.Boot(Path.Combine(Kernel, "vmlinuz"), files, _folder, kernelOptions);
    }

    internal string Console => _guest?.Console ?? "";

    private static string Kernel { get; } = Path.Combine(Environment.GetEnvironmentVariable("HOTPATCH_CACHE") ?? Path.Combine(Path.GetTempPath(), "hotpatch-cache"), "livepatch");

    private QemuGuest Guest => _guest!;

    /// <summary>A guest whose kernel takes no module that is not signed by a key of its own.</summary>
    public static LivepatchGuest ThatDemandsSignatures() => new("module.sig_enforce=1");

    /// <summary>As after a boot, whatever the test before left: by hand, without the product.</summary>
    internal void StartClean()
    {
        Assert.SkipWhen(_missing is not null, $"no guest: {_missing}");
        Sh("for open in /sys/module/*/parameters/open; do [ ! -w $open ] || echo 1 > $open; done; sleep 0.2; "
            + "for patch in /sys/kernel/livepatch/*/; do [ ! -e $patch/enabled ] || echo 0 > $patch/enabled; done; "
            + "for try in $(seq 100); do [ -z \"$(ls /sys/kernel/livepatch)\" ] && break; sleep 0.1; done; "
            + "for try in $(seq 100); do lsmod | grep -qE '^(fix_|shop)' || break; for module in $(lsmod | grep -oE '^(fix_|shop)[a-z_0-9]*'); do rmmod $module; done; sleep 0.1; done 2> /dev/null; "
            + "rm -rf /run/hotpatch; echo 1 > /proc/sys/kernel/ftrace_enabled; ! lsmod | grep -E '^(fix_|shop)'");
    }

    /// <summary>Runs a line of shell that must succeed; its output without the last end of line.</summary>
    internal string Sh(string line)
    {
        var (code, output) = Guest.Run(line);
        Assert.True(code == 0, $"'{line}' ended with {code} in the guest: {output}");
        return output.TrimEnd('\n');
    }

    internal PatcherResult Apply(KernelFix fix, int transitionSeconds = 0) => Apply($"/packages/{fix.Name}-{fix.Level}.hpatch", transitionSeconds);

    internal PatcherResult ApplyUnsigned(KernelFix fix) => Apply($"/packages/{fix.Name}-{fix.Level}.unsigned", 0);

    internal PatcherResult ApplyForAnotherKernel() => Apply("/packages/stranger.hpatch", 0);

    internal PatcherResult RollBack(KernelFix fix, int transitionSeconds = 0) =>
        Ask(new PatcherRequest { Verb = PatcherVerb.RollBack, Pid = 0, Digest = _digests[fix], TransitionSeconds = transitionSeconds });

    internal IReadOnlyList<AppliedPatch> Status() => Ask(new PatcherRequest { Verb = PatcherVerb.Status, Pid = 0 }).Applied!;

    internal PatcherResult Scan() => Ask(new PatcherRequest { Verb = PatcherVerb.Scan });

    /// <summary>Starts an apply in the background and kills the patcher (SIGKILL) once the kernel is in transition.</summary>
    internal void BeKilledApplying(KernelFix fix) => Sh(
        $"echo '{Json(ApplyRequest($"/packages/{fix.Name}-{fix.Level}.hpatch", 0))}' | hotpatch-patcher > /dev/null & patcher=$!; "
        + $"until [ \"$(cat /sys/kernel/livepatch/{fix.Module}/transition 2> /dev/null)\" = 1 ]; do sleep 0.1; done; kill -9 $patcher; wait $patcher; true");

    /// <summary>Has the patcher killed (SIGKILL) at a named step.</summary>
    internal void BeKilledApplying(KernelFix fix, string step) => BeKilled(ApplyRequest($"/packages/{fix.Name}-{fix.Level}.hpatch", 0), step);

    internal void BeKilledRollingBack(KernelFix fix, string step) => BeKilled(new PatcherRequest { Verb = PatcherVerb.RollBack, Pid = 0, Digest = _digests[fix] }, step);

    internal string DigestOf(KernelFix fix) => _digests[fix];

    public void Dispose()
    {
        _guest?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private PatcherResult Apply(string package, int transitionSeconds) => Ask(ApplyRequest(package, transitionSeconds));

    private static PatcherRequest ApplyRequest(string package, int transitionSeconds) =>
        new() { Verb = PatcherVerb.Apply, Pid = 0, Package = package, TrustFolder = "/trust", TransitionSeconds = transitionSeconds };

    private void BeKilled(PatcherRequest request, string step)
    {
        const int killed = 137;
        var answer = Guest.Run($"echo '{Json(request)}' | HOTPATCH_CRASH_AT={step} hotpatch-patcher");
        Assert.True(answer.Code == killed, $"the patcher was to be killed at '{step}' but ended with {answer.Code}: {answer.Output}");
    }

    private PatcherResult Ask(PatcherRequest request) => JsonSerializer.Deserialize(Sh($"echo '{Json(request)}' | hotpatch-patcher"), PatcherJson.Default.PatcherResult)!;

    private static string Json(PatcherRequest request) => JsonSerializer.Serialize(request, PatcherJson.Default.PatcherRequest);

    private void WriteFiles(string root)
    {
        foreach (var folder in (string[])["packages", "trust", "modules"]) Directory.CreateDirectory(Path.Combine(root, folder));
        using var key = SigningKey.Generate();
        File.WriteAllText(Path.Combine(root, "trust", "release.pub"), key.ExportPublicPem());
        var modules = Path.Combine(Kernel, "modules");
        foreach (var module in Directory.EnumerateFiles(modules, "*.ko")) File.Copy(module, Path.Combine(root, "modules", Path.GetFileName(module)));
        foreach (var fix in KernelFix.All)
        {
            var package = fix.Package(modules, Path.Combine(Kernel, "vmlinux"));
            _digests[fix] = package.Digest;
            Write($"{fix.Name}-{fix.Level}.unsigned", package);
            Write($"{fix.Name}-{fix.Level}.hpatch", PackageWriter.Sign(package, key));
        }
        Write("stranger.hpatch", PackageWriter.Sign(KernelFix.CommandLine.Package(modules, StrangerKernel), key));

        void Write(string name, PatchPackage package) => File.WriteAllBytes(Path.Combine(root, "packages", name), PackageWriter.ToBytes(package));
    }

    /// <returns>Null, or what is missing.</returns>
    private static string? Prepare()
    {
        foreach (var program in (string[])["qemu-system-x86_64", "busybox"])
            if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)))) return $"there is no {program} (infra/local/packages.sh qemu)";
        using var preparing = Process.Start(new ProcessStartInfo("bash", [Script("prepare.sh"), Kernel]) { RedirectStandardError = true })!;
        var said = preparing.StandardError.ReadToEnd().Trim();
        preparing.WaitForExit();
        Assert.True(preparing.ExitCode is 0 or CannotBeHad, $"prepare.sh ended with {preparing.ExitCode}: {said}");
        return preparing.ExitCode == CannotBeHad ? said : null;
    }

    private static string Script(string name) => CheckoutRoot.PathOf("tests", "targets", "livepatch", name);
}
