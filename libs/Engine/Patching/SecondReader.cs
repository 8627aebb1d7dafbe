using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine.Patching;

/// <summary>
/// A second thread that looks through stacks beside the patching one: while the target stands still, its CPU has nothing else to do. Reading
/// memory, other than ptrace, may be done by any thread. Work is shared chunk by chunk, so that a late helper delays nobody.
/// </summary>
internal sealed class SecondReader : IDisposable
{
    private readonly StackReader _reader;
    private readonly SemaphoreSlim _work = new(0);
    private readonly Thread _thread;
    private ThreadGroup? _group;
    private int _chunk, _next, _working;
    private string? _found;
    private volatile bool _ended;

    public SecondReader(StackReader reader)
    {
        _reader = reader;
        _thread = new Thread(Run) { Name = "stacks", IsBackground = true };
        _thread.Start();
    }

    public string? Share(ThreadGroup group, int chunk, StackReader own)
    {
        (_group, _chunk, _found) = (group, chunk, null);
        Volatile.Write(ref _next, 0);
        _work.Release();
        TakeChunks(own);
        var patience = new SpinWait();
        while (Volatile.Read(ref _working) != 0) patience.SpinOnce(sleep1Threshold: -1);
        return _found;
    }

    public void Dispose()
    {
        _ended = true;
        _work.Release();
        _thread.Join();
        _work.Dispose();
    }

    private void Run()
    {
        Priority.Raise();               // asleep until there is something to do
        while (true)
        {
            _work.Wait();
            if (_ended) return;
            TakeChunks(_reader);
        }
    }

    private void TakeChunks(StackReader reader)
    {
        Interlocked.Increment(ref _working);
        while (_group is { } group && Interlocked.Add(ref _next, _chunk) - _chunk is var first && first < group.Count && Volatile.Read(ref _found) is null)
            if (reader.FindIn(group, first, Math.Min(first + _chunk, group.Count)) is { } where) Volatile.Write(ref _found, where);
        Interlocked.Decrement(ref _working);
    }
}
