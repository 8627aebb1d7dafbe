using Hotpatch.Contracts.Patcher;
using Hotpatch.Engine;
using Hotpatch.Engine.Elf;
using Hotpatch.Engine.Kernel;
using Hotpatch.Engine.Patching;
using Hotpatch.Engine.Verification;
using Hotpatch.Packaging;

namespace Hotpatch.Patcher;

/// <summary>One request in, one result out; every failure is an answer.</summary>
internal static class Answer
{
    public static PatcherResult To(PatcherRequest request)
    {
        try
        {
            return request.Verb switch
            {
                PatcherVerb.Scan => Scan(request.Scope),
                PatcherVerb.Verify => Verify(request),
                PatcherVerb.Apply => Apply(request),
                PatcherVerb.RollBack => RollBack(request),
                PatcherVerb.Status => Status(request),
                PatcherVerb.Attest => Status(request) with { Drift = Drift(request) },
                _ => Refused("request.verb", "The verb is not known. See --help."),
            };
        }
        catch (PackageFault fault)
        {
            return Refused(fault.Code, fault.Message);
        }
        catch (EngineFault fault)
        {
            return new PatcherResult { Outcome = OutcomeOf(fault.Kind), Code = fault.Code, Reason = fault.Message, Stage = fault.Stage, Undone = fault.Undone, KernelLog = fault.Evidence.Count > 0 ? fault.Evidence : null };
        }
        catch (ElfFault fault)
        {
            return Refused("target.malformed", $"A file that the process has mapped is not what it should be: {fault.Message}");
        }
        catch (Exception file) when (file is IOException or UnauthorizedAccessException)
        {
            return Refused("file.unreadable", file.Message);
        }
    }

    // The kernel belongs to the whole machine, so to nobody's scope.
    private static PatcherResult Scan(string? scope) => new()
    {
        Outcome = PatcherOutcome.Done,
        Processes = [.. (scope is null && new KernelEngine().Find() is { } kernel ? ProcessScan.Run(scope).Prepend(kernel) : ProcessScan.Run(scope)).Select(found => new ScannedProcess(
            found.Pid, found.StartTicks, found.Executable, [.. found.Binaries.Select(binary => new ScannedBinary(binary.BuildId, binary.Module))], found.Listening, found.Patches))],
    };

    // The kernel's own code is written by itself all the time (ftrace, static keys): there is no file to hold it against.
    private static List<string> Drift(PatcherRequest request) =>
        request.Pid == 0 ? [] : [.. new HotpatchEngine().Attest(new ProcessReference(request.Pid, request.StartTicks)).Select(drift => drift.ToString())];

    private static PatcherResult Verify(PatcherRequest request)
    {
        Read(request);
        return new PatcherResult { Outcome = PatcherOutcome.Done };
    }

    private static PatcherResult Apply(PatcherRequest request)
    {
        var package = Read(request);
        return IsKernel(request)
            ? Report(Kernel(request).Apply(request.StartTicks, package))
            : Report(new HotpatchEngine().Apply(new ProcessReference(request.Pid, request.StartTicks), package));
    }

    private static PatcherResult RollBack(PatcherRequest request)
    {
        if (request.Digest is not { Length: > 0 } digest) return Refused("request.digest", "Rolling back needs the patch's digest; 'status' shows it.");
        return IsKernel(request)
            ? Report(Kernel(request).RollBack(request.StartTicks, digest))
            : Report(new HotpatchEngine().RollBack(new ProcessReference(request.Pid, request.StartTicks), digest));
    }

    private static PatcherResult Status(PatcherRequest request)
    {
        var patches = IsKernel(request) ? Kernel(request).Status(request.StartTicks) : new HotpatchEngine().Status(new ProcessReference(request.Pid, request.StartTicks));
        return new PatcherResult { Outcome = PatcherOutcome.Done, Applied = [.. patches.Select(Describe)] };
    }

    private static bool IsKernel(PatcherRequest request) => request.Pid == KernelEngine.Pid;

    private static KernelEngine Kernel(PatcherRequest request) =>
        new(request.TransitionSeconds > 0 ? EngineLimits.Default with { TransitionBudget = TimeSpan.FromSeconds(request.TransitionSeconds) } : EngineLimits.Default);

    private static AppliedPatch Describe(PatchStatus status) => new(
        status.Digest, status.Name, status.Level, status.BuildId, status.Sites, status.Active, status.Intact, status.StopMicroseconds, status.Threads, status.Finding);

    private static PatchPackage Read(PatcherRequest request)
    {
        if (request.Package is not { Length: > 0 } path) throw new PackageFault("request.package", "The request names no package file.");
        if (request.TrustFolder is not { Length: > 0 } trust) throw new PackageFault("request.trust", "The request names no trust folder; nothing unsigned ever runs.");
        var package = PackageReader.ReadTrusted(PackageReader.ReadFile(path), TrustStore.Load(trust));
        if (request.Digest is { Length: > 0 } digest && digest != package.Digest)
            throw new PackageFault("package.digest", $"The package is {package.Digest}; the order names {digest}.");
        return package;
    }

    private static PatcherResult Report(PatchReport report) => new()
    {
        Outcome = report.Already ? PatcherOutcome.Already : PatcherOutcome.Done,
        BuildId = report.BuildId,
        Sites = report.Sites,
        Threads = report.Threads,
        StopMicroseconds = report.StopMicroseconds,
        Attempts = report.Attempts,
        OldFrames = report.OldFrames,
    };

    private static PatcherResult Report(LivepatchReport report) => new()
    {
        Outcome = report.Already ? PatcherOutcome.Already : PatcherOutcome.Done,
        BuildId = report.BuildId,
        Sites = report.Functions,
        TransitionMilliseconds = report.TransitionMilliseconds,
        KernelLog = report.Log,
    };

    private static PatcherResult Refused(string code, string reason) => new() { Outcome = PatcherOutcome.Refused, Code = code, Reason = reason, Undone = "nothing was changed" };

    private static PatcherOutcome OutcomeOf(FaultKind kind) => kind switch
    {
        FaultKind.Refused => PatcherOutcome.Refused,
        FaultKind.Busy => PatcherOutcome.Busy,
        FaultKind.Gone => PatcherOutcome.Gone,
        _ => PatcherOutcome.Faulted,
    };
}
