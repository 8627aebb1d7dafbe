using System.Diagnostics;
using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine.Kernel;

/// <summary>
/// The kernel moves one task after the other to the new functions, each when it is in none of the old ones. A task that sleeps in one for
/// good holds the transition open for good: it is then reversed, never forced. Forcing would let that task return into code that the next
/// step unloads, and pins the module until the machine restarts.
/// </summary>
internal sealed class Transition(KernelPaths paths, KernelCalls calls, EngineLimits limits)
{
    private const int Again = 11, Busy = 16, NotThere = 2;

    /// <returns>How long it took, or null when it is still going on at the end of its budget.</returns>
    public TimeSpan? WaitUntilPatched(string module, TimeSpan budget) => WaitUntil(() => !KernelTree.Flag($"{paths.Livepatch(module)}/transition"), budget);

    /// <summary>A livepatch that no task uses any more leaves the interface by itself.</summary>
    public TimeSpan? WaitUntilGone(string module, TimeSpan budget) => WaitUntil(() => !Directory.Exists(paths.Livepatch(module)), budget);

    /// <summary>Unloads a module that is no livepatch any more; its last user may need a moment to leave.</summary>
    /// <returns>0, or the errno it stays with.</returns>
    public int Unload(string module)
    {
        var errno = 0;
        WaitUntil(() => (errno = calls.Unload(module)) is not (Again or Busy), limits.UnloadBudget);
        return errno == NotThere ? 0 : errno;
    }

    /// <summary>The tasks that have not moved yet, with where they sleep.</summary>
    public IReadOnlyList<string> InTheWay(bool ofPatching)
    {
        var unmoved = ofPatching ? "0" : "1";
        var found = new List<string>();
        foreach (var process in KernelTree.Numbers(paths.Proc))
            foreach (var task in KernelTree.Numbers($"{paths.Proc}/{process}/task"))
            {
                var folder = $"{paths.Proc}/{process}/task/{task}";
                if (KernelTree.Text($"{folder}/patch_state") != unmoved) continue;
                found.Add($"task {task} ({KernelTree.Text($"{folder}/comm")}) in {Stack(folder)}");
                if (found.Count == limits.BlockingTasksMax) return found;
            }
        return found;
    }

    private string Stack(string folder)
    {
        // "[<0>] msleep+0x2f/0x40", innermost first.
        var frames = KernelTree.Text($"{folder}/stack").Split('\n').Select(line => line[(line.IndexOf(']', StringComparison.Ordinal) + 1)..].Trim()).Where(frame => frame.Length > 0);
        return string.Join(" < ", frames.Take(limits.StackFramesMax).DefaultIfEmpty("a place the kernel does not tell"));
    }

    private TimeSpan? WaitUntil(Func<bool> done, TimeSpan budget)
    {
        var started = Stopwatch.GetTimestamp();
        while (!done())
        {
            if (Stopwatch.GetElapsedTime(started) >= budget) return null;
            Libc.Sleep((long)limits.TransitionPoll.TotalNanoseconds);
        }
        return Stopwatch.GetElapsedTime(started);
    }
}
