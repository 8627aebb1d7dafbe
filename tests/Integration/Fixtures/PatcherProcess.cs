using System.Diagnostics;
using System.Text.Json;
using Hotpatch.Contracts.Patcher;
using Hotpatch.Packaging;
using Xunit;

namespace Hotpatch.Tests.Integration.Fixtures;

/// <summary>The shipped patcher program, with a trust folder of its own: what the agent and the command line start.</summary>
internal sealed class PatcherProcess : IDisposable
{
    private const int KilledExitCode = 137;

    private readonly string _folder = Directory.CreateTempSubdirectory("hotpatch-patcher-").FullName;
    private readonly SigningKey _key = SigningKey.Generate();

    public PatcherProcess()
    {
        Directory.CreateDirectory(Trust);
        File.WriteAllText(Path.Combine(Trust, "release.pub"), _key.ExportPublicPem());
    }

    public string Trust => Path.Combine(_folder, "trust");

    public string Write(byte[] bytes)
    {
        var path = Path.Combine(_folder, $"{Guid.NewGuid():N}.hpatch");
        File.WriteAllBytes(path, bytes);
        return path;
    }

    public byte[] Signed(PatchPackage package) => PackageWriter.ToBytes(PackageWriter.Sign(package, _key));

    public PatcherResult Apply(Victim victim, byte[] package) => Answer(new PatcherRequest { Verb = PatcherVerb.Apply, Pid = victim.Pid, Package = Write(package), TrustFolder = Trust }, crashAt: null)!;

    public PatcherResult Apply(Victim victim) => Apply(victim, Signed(victim.Package));

    public PatcherResult RollBack(Victim victim) => Answer(new PatcherRequest { Verb = PatcherVerb.RollBack, Pid = victim.Pid, Digest = victim.Package.Digest }, crashAt: null)!;

    /// <summary>Runs an operation that is killed (SIGKILL) at a named step.</summary>
    public void BeKilledApplying(Victim victim, string step) =>
        Answer(new PatcherRequest { Verb = PatcherVerb.Apply, Pid = victim.Pid, Package = Write(Signed(victim.Package)), TrustFolder = Trust }, step);

    public void BeKilledRollingBack(Victim victim, string step) =>
        Answer(new PatcherRequest { Verb = PatcherVerb.RollBack, Pid = victim.Pid, Digest = victim.Package.Digest }, step);

    /// <summary>Begins an operation and kills it (SIGKILL) after a while, wherever it is by then; it may have ended.</summary>
    public void BeKilledAfter(TimeSpan time, Victim victim, PatcherVerb verb)
    {
        var request = verb == PatcherVerb.Apply
            ? new PatcherRequest { Verb = verb, Pid = victim.Pid, Package = Write(Signed(victim.Package)), TrustFolder = Trust }
            : new PatcherRequest { Verb = verb, Pid = victim.Pid, Digest = victim.Package.Digest };
        using var process = Process.Start(new ProcessStartInfo(Servers.Patcher) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        process.StandardInput.Write(JsonSerializer.Serialize(request, PatcherJson.Default.PatcherRequest));
        process.StandardInput.Close();
        if (!process.WaitForExit(time)) process.Kill();
        process.WaitForExit();
    }

    public void Dispose()
    {
        _key.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static PatcherResult? Answer(PatcherRequest request, string? crashAt)
    {
        var start = new ProcessStartInfo(Servers.Patcher) { RedirectStandardInput = true, RedirectStandardOutput = true };
        if (crashAt is not null) start.Environment["HOTPATCH_CRASH_AT"] = crashAt;
        using var process = Process.Start(start)!;
        process.StandardInput.Write(JsonSerializer.Serialize(request, PatcherJson.Default.PatcherRequest));
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (crashAt is null)
        {
            Assert.Equal(0, process.ExitCode);
            return JsonSerializer.Deserialize(output, PatcherJson.Default.PatcherResult)!;
        }
        Assert.True(process.ExitCode == KilledExitCode, $"the patcher was to be killed at '{crashAt}' but ended with {process.ExitCode}: {output}");
        return null;
    }
}
