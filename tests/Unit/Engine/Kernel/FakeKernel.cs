using Hotpatch.Engine;
using Hotpatch.Engine.Kernel;
using Hotpatch.Packaging;

namespace Hotpatch.Tests.Unit.Engine.Kernel;

/// <summary>A folder in the kernel's place: the files of its livepatch interface, and what becomes of them when it is asked for something.</summary>
internal sealed class FakeKernel : IDisposable
{
    public const string BuildId = "eb4fbcd037e7253717950bf2b93bd5566f47c56f", Release = "6.1.0-56-amd64";
    private const int Again = 11, NotThere = 2;

    private readonly KernelPaths _paths = new(Directory.CreateTempSubdirectory("hotpatch-kernel-").FullName);

    public FakeKernel()
    {
        Directory.CreateDirectory(_paths.Livepatches);
        Write(_paths.Notes, ModuleFile.Note(BuildId));
        Write($"{_paths.Proc}/sys/kernel/osrelease", Release);
        Write($"{_paths.Proc}/sys/kernel/ftrace_enabled", "1");
        Restart("a0000000-0000-4000-8000-000000000001");
        var calls = new KernelCalls(Load, Unload, SetEnabled);
        Engine = new KernelEngine(_paths, calls, new EngineLimits
        {
            TransitionBudget = TimeSpan.FromMilliseconds(30), TransitionPoll = TimeSpan.FromMilliseconds(1), ReverseBudget = TimeSpan.FromMilliseconds(30), UnloadBudget = TimeSpan.FromMilliseconds(10),
        });
    }

    public KernelEngine Engine { get; }

    /// <summary>What loading a module answers with instead of loading it.</summary>
    public int LoadErrno { get; set; }

    /// <summary>Transitions begin, and do not end; with <see cref="HoldsReversalToo"/> not even backwards.</summary>
    public bool HoldsTransition { get; set; }
    public bool HoldsReversalToo { get; set; }

    /// <summary>A module that was forced out of use can never be unloaded.</summary>
    public bool PinsModules { get; set; }

    /// <summary>What the next module really replaces, where that is not what its package says.</summary>
    public LivepatchedFunction[]? ReallyReplaces { get; set; }

    public IEnumerable<string> Livepatches => Names(_paths.Livepatches);
    public IEnumerable<string> Modules => Names(_paths.Module(""));
    public IEnumerable<string> Records => Directory.Exists(_paths.Records) ? [.. Directory.EnumerateFiles(_paths.Records, "*.json").Select(file => Path.GetFileNameWithoutExtension(file))] : [];

    public void Restart(string boot) => Write($"{_paths.Proc}/sys/kernel/random/boot_id", boot);

    public void SwitchTracingOff() => Write($"{_paths.Proc}/sys/kernel/ftrace_enabled", "0");

    public void LoseInterface() => Directory.Delete(_paths.Livepatches, recursive: true);

    public void Set(string module, string file, string text) => Write($"{_paths.Livepatch(module)}/{file}", text);

    public string Get(string module, string file) => File.ReadAllText($"{_paths.Livepatch(module)}/{file}");

    /// <summary>Of a livepatch whose patcher was killed between disabling and unloading it, the module is left.</summary>
    public void LeaveInterface(string module) => Directory.Delete(_paths.Livepatch(module), recursive: true);

    public void AddModule(string name) => Directory.CreateDirectory(_paths.Module(name));

    /// <summary>Another module takes the place of a loaded one.</summary>
    public void Swap(string module, string buildId) => Write($"{_paths.Module(module)}/notes/.note.gnu.build-id", ModuleFile.Note(buildId));

    public void AddTask(int id, string name, int state, string stack)
    {
        var folder = $"{_paths.Proc}/{id}/task/{id}";
        Write($"{folder}/comm", $"{name}\n");
        Write($"{folder}/patch_state", $"{state}\n");
        Write($"{folder}/stack", stack);
    }

    /// <summary>Holds the lock that another patcher would hold.</summary>
    public IDisposable BeAtWork() => new LivepatchRecords(_paths).Lock();

    /// <summary>Loads a livepatch as somebody else would: without a record.</summary>
    public void InsertByHand(string module) => Load(new ModuleFile(module).ToBytes());

    public void Dispose() => Directory.Delete(_paths.Root, recursive: true);

    private int Load(ReadOnlyMemory<byte> file)
    {
        if (LoadErrno != 0) return LoadErrno;
        var module = LivepatchModule.Parse(file);
        if (module.Replaces == true && !HoldsTransition)
            foreach (var other in Livepatches.ToList()) LeaveInterface(other);
        foreach (var function in ReallyReplaces ?? [new LivepatchedFunction("vmlinux", "cmdline_proc_show")])
        {
            Directory.CreateDirectory($"{_paths.Livepatch(module.Name)}/{function.KernelObject}/{function.Name},1");
            Set(module.Name, $"{function.KernelObject}/patched", function.KernelObject == "vmlinux" ? "1\n" : "0\n");
        }
        Set(module.Name, "enabled", "1\n");
        Set(module.Name, "transition", HoldsTransition ? "1\n" : "0\n");
        Set(module.Name, "force", "untouched");
        Write($"{_paths.Module(module.Name)}/notes/.note.gnu.build-id", ModuleFile.Note(module.BuildId!));
        return 0;
    }

    private int Unload(string module)
    {
        if (PinsModules || Directory.Exists(_paths.Livepatch(module))) return Again;
        if (!Directory.Exists(_paths.Module(module))) return NotThere;
        Directory.Delete(_paths.Module(module), recursive: true);
        return 0;
    }

    private int SetEnabled(string module, bool enabled)
    {
        var reversal = Get(module, "transition").StartsWith('1');
        Set(module, "enabled", enabled ? "1\n" : "0\n");
        if (reversal ? HoldsReversalToo : HoldsTransition) Set(module, "transition", "1\n");
        else if (enabled) Set(module, "transition", "0\n");
        else LeaveInterface(module);
        return 0;
    }

    private static IEnumerable<string> Names(string folder) => !Directory.Exists(folder) ? [] : [.. Directory.EnumerateDirectories(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private static void Write(string path, string text) => Write(path, System.Text.Encoding.UTF8.GetBytes(text));

    private static void Write(string path, byte[] bytes)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
    }
}
