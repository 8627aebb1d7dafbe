namespace Hotpatch.Engine;

/// <summary>Every bound the engine holds to, in one place.</summary>
public sealed record EngineLimits
{
    /// <summary>How long all threads together may take to stop; beyond it they are released and the stop is tried again.</summary>
    public TimeSpan StopBudget { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>How long a released thread that had not stopped yet is waited for.</summary>
    public TimeSpan ReleaseBudget { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long one borrowed thread may take for one injected system call.</summary>
    public TimeSpan BorrowBudget { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Stops tried before the target is called busy.</summary>
    public int AttemptsMax { get; init; } = 40;

    /// <summary>Pause after the first unsafe stop; grows by as much with each further one, to ten times.</summary>
    public TimeSpan RetryPause { get; init; } = TimeSpan.FromMilliseconds(2);

    public int SeizePassesMax { get; init; } = 100;
    public int ThreadsMax { get; init; } = 65_536;

    /// <summary>Stack bytes looked through per thread; a deeper stack counts as unsafe evidence.</summary>
    public int StackBytesMax { get; init; } = 8 << 20;

    public int DescriptorBytesMax { get; init; } = 1 << 20;

    /// <summary>How long a kernel's transition to a livepatch, or back, may take before it is reversed. The kernel itself signals the tasks in its way after 15 s.</summary>
    public TimeSpan TransitionBudget { get; init; } = TimeSpan.FromSeconds(60);

    public TimeSpan TransitionPoll { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How long the reversal of a transition is waited for.</summary>
    public TimeSpan ReverseBudget { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the last user of a livepatch's module is waited for once nothing runs in it.</summary>
    public TimeSpan UnloadBudget { get; init; } = TimeSpan.FromSeconds(5);

    public int BlockingTasksMax { get; init; } = 8;
    public int StackFramesMax { get; init; } = 4;
    public int KernelLogLinesMax { get; init; } = 50;

    public static EngineLimits Default { get; } = new();
}
