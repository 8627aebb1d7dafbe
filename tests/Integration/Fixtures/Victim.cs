using System.Diagnostics;
using System.Globalization;
using Hotpatch.Engine;
using Hotpatch.Engine.Patching;
using Hotpatch.Engine.Ptrace;
using Hotpatch.Packaging;
using Xunit;

namespace Hotpatch.Tests.Integration.Fixtures;

/// <summary>A live process of a victim, spoken to over its standard input and output.</summary>
internal sealed class Victim : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly Process _process;

    private Victim(VictimBuild build, Process process)
    {
        (Build, _process) = (build, process);
        Reference = new ProcessReference(process.Id);
    }

    public VictimBuild Build { get; }
    public PatchPackage Package => Build.Package;
    public ProcessReference Reference { get; }
    public int Pid => _process.Id;
    public bool IsAlive => !_process.HasExited;

    public static Victim Start(string source, int threads = 0) => Start(new VictimRecipe(source), threads);

    /// <param name="pauseMicroseconds">What each worker sleeps after 64 turns.</param>
    public static Victim StartPaced(string source, int threads, int pauseMicroseconds) => Start(VictimBuild.Of(new VictimRecipe(source)), [], [$"{threads}", $"{pauseMicroseconds}"]);

    /// <param name="wrapper">A program that runs the victim, and its arguments (setpriv, unshare).</param>
    public static Victim Start(VictimRecipe recipe, int threads = 0, params string[] wrapper)
    {
        return Start(VictimBuild.Of(recipe), wrapper, [threads.ToString(CultureInfo.InvariantCulture)]);
    }

    private static Victim Start(VictimBuild build, string[] wrapper, string[] arguments)
    {
        string[] command = [.. wrapper, build.Program, .. arguments];
        var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        var victim = new Victim(build, process);
        Assert.Equal("ready", victim.ReadLine());
        return victim;
    }

    /// <summary>One question, one answer; a victim that died fails the test here.</summary>
    public string Ask(string question)
    {
        _process.StandardInput.WriteLine(question);
        _process.StandardInput.Flush();
        return ReadLine();
    }

    public PatchReport Apply(PatchPackage? package = null, EngineLimits? limits = null) => new HotpatchEngine(limits).Apply(Reference, package ?? Package);

    public PatchReport RollBack(PatchPackage? package = null) => new HotpatchEngine().RollBack(Reference, (package ?? Package).Digest);

    /// <summary>Text of /proc/PID/maps, without the heap and stacks that grow by themselves.</summary>
    public IReadOnlyList<MemoryMapping> Mappings() => ProcessMaps.Of(Pid);

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private string ReadLine()
    {
        var line = _process.StandardOutput.ReadLineAsync();
        Assert.True(line.Wait(Patience), "the victim does not answer: it is stopped or hangs");
        Assert.True(line.Result is not null, "the victim has died");
        return line.Result!;
    }
}
