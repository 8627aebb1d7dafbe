using System.Text;
using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine.Kernel;

/// <summary>
/// What the kernel logged since this was opened, as far as it concerns an operation: errno alone is ambiguous (EINVAL is an unknown
/// function, and several other things), the log says which.
/// </summary>
internal sealed unsafe class KernelLog : IDisposable
{
    private readonly int _file;

    public KernelLog(KernelPaths paths)
    {
        _file = Libc.Open(paths.Log, NonBlocking | Libc.OpenCloseOnExec, 0);
        if (_file >= 0) _ = Libc.Seek(_file, 0, SeekEnd);
    }

    /// <summary>At most <paramref name="max"/> lines, oldest first; none where the log may not be read.</summary>
    public IReadOnlyList<string> Lines(string module, int max)
    {
        var lines = new List<string>();
        var record = new byte[RecordBytesMax];
        while (_file >= 0 && lines.Count < max)
        {
            // One record a read (Documentation/ABI/testing/dev-kmsg): "level,sequence,time,flags;text", further lines are key=value.
            long length;
            fixed (byte* start = record) length = Libc.Syscall(SyscallRead, _file, (long)start, record.Length);
            if (length < 0 && Libc.Errno == OverwrittenMeanwhile) continue;
            if (length <= 0) break;
            var text = Encoding.UTF8.GetString(record, 0, (int)length).Split('\n')[0];
            text = text[(text.IndexOf(';', StringComparison.Ordinal) + 1)..];
            if (Concerns(text, module)) lines.Add(text);
        }
        return lines;
    }

    public void Dispose()
    {
        if (_file >= 0) _ = Libc.Close(_file);
    }

    private static bool Concerns(string text, string module) =>
        text.Contains("livepatch", StringComparison.Ordinal) || text.Contains(module, StringComparison.Ordinal) || text.StartsWith("Loading of ", StringComparison.Ordinal) || text.Contains("module verification", StringComparison.Ordinal);

    private const long SyscallRead = 0;
    private const int NonBlocking = 0x800, SeekEnd = 2, OverwrittenMeanwhile = 32;     // EPIPE
    private const int RecordBytesMax = 8192;
}
