namespace Hotpatch.Engine.Ptrace;

/// <summary>On a busy host the patching thread would wait for the CPU while the target stands still. Without the right to, it just does.</summary>
internal static unsafe class Priority
{
    private const int Fifo = 1, Other = 0, FifoPriority = 50;

    /// <summary>The calling thread goes before all ordinary ones (sched(7)).</summary>
    public static void Raise()
    {
        var priority = FifoPriority;
        _ = Libc.SetScheduler(0, Fifo, &priority);
    }

    public static void Lower()
    {
        var priority = 0;
        _ = Libc.SetScheduler(0, Other, &priority);
    }
}
