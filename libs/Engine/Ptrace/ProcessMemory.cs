namespace Hotpatch.Engine.Ptrace;

/// <summary>
/// Memory of another process. Data goes through process_vm_readv/writev; code through /proc/PID/mem, which alone may write pages that are
/// mapped without write permission, and from Linux 7.1 on only for the thread that traces the target.
/// </summary>
internal sealed unsafe class ProcessMemory : IDisposable
{
    private readonly int _anchor;
    private readonly int _file;

    /// <param name="anchor">A live thread of the process: a leader that has exited answers for nothing.</param>
    public ProcessMemory(int pid, int anchor)
    {
        _anchor = anchor;
        _file = Libc.Open($"/proc/{anchor}/mem", Libc.OpenReadWrite | Libc.OpenCloseOnExec, 0);
        if (_file >= 0) return;
        throw Libc.Errno is Libc.Eacces or Libc.Eperm
            ? EngineFault.Refuse("target.permission", $"No permission to open the memory of process {pid}. Run as root, as the process's own user, or with CAP_SYS_PTRACE and CAP_DAC_OVERRIDE.")
            : EngineFault.Gone(pid);
    }

    public bool TryRead(ulong address, Span<byte> into)
    {
        fixed (byte* start = into)
        {
            var local = new Libc.Vector(start, into.Length);
            var remote = new Libc.Vector((void*)address, into.Length);
            return Libc.ReadMemory(_anchor, &local, 1, &remote, 1, 0) == into.Length;
        }
    }

    /// <summary>Reads many places, one behind the other, with one system call.</summary>
    public bool TryRead(ReadOnlySpan<Libc.Vector> places, Span<byte> into)
    {
        fixed (byte* start = into)
        fixed (Libc.Vector* remote = places)
        {
            var local = new Libc.Vector(start, into.Length);
            return Libc.ReadMemory(_anchor, &local, 1, remote, (ulong)places.Length, 0) == into.Length;
        }
    }

    /// <summary>As many bytes as are readable from an address up to the length of the span.</summary>
    public int ReadSome(ulong address, Span<byte> into)
    {
        fixed (byte* start = into)
        {
            var local = new Libc.Vector(start, into.Length);
            var remote = new Libc.Vector((void*)address, into.Length);
            return Math.Max(0, (int)Libc.ReadMemory(_anchor, &local, 1, &remote, 1, 0));
        }
    }

    public byte[] Read(ulong address, int length)
    {
        var bytes = new byte[length];
        if (!TryRead(address, bytes)) throw EngineFault.FromErrno("read", $"Reading {length} bytes at 0x{address:x}", Libc.Errno);
        return bytes;
    }

    public ulong ReadWord(ulong address)
    {
        ulong word = 0;
        return TryRead(address, new Span<byte>(&word, sizeof(ulong))) ? word : 0;
    }

    /// <summary>Writes pages that are mapped writable.</summary>
    public void WriteData(ulong address, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            var local = new Libc.Vector(start, bytes.Length);
            var remote = new Libc.Vector((void*)address, bytes.Length);
            if (Libc.WriteMemory(_anchor, &local, 1, &remote, 1, 0) != bytes.Length)
                throw EngineFault.FromErrno("write", $"Writing {bytes.Length} bytes at 0x{address:x}", Libc.Errno);
        }
    }

    /// <summary>Writes over code; only while the target is traced by this thread.</summary>
    public bool TryWriteCode(ulong address, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes) return Libc.WriteAt(_file, start, bytes.Length, (long)address) == bytes.Length;
    }

    public void Dispose() => _ = Libc.Close(_file);
}
