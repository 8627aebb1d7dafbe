using System.Runtime.ExceptionServices;

namespace Hotpatch.Engine.Ptrace;

/// <summary>
/// Runs an operation on one operating-system thread of its own, start to end: ptrace obeys only the thread that seized, and a task may
/// change threads at every await.
/// </summary>
internal static class TracerThread
{
    private const int StackBytes = 4 << 20;

    public static T Run<T>(Func<T> operation)
    {
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                result = operation();
            }
            catch (Exception caught)
            {
                failure = ExceptionDispatchInfo.Capture(caught);       // rethrown on the caller's thread
            }
        }, StackBytes) { Name = "tracer" };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }
}
