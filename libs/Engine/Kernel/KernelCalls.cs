using System.Runtime.InteropServices;
using Hotpatch.Engine.Ptrace;

namespace Hotpatch.Engine.Kernel;

/// <summary>Everything that changes the kernel, in one place; each answers with 0 or an errno. Tests put a folder in the kernel's place.</summary>
/// <param name="Load">Links a module into the kernel; a livepatch is in force, for whoever calls its functions next, when this returns.</param>
/// <param name="Unload">Takes a module out that nobody uses.</param>
/// <param name="SetEnabled">Writes a livepatch's <c>enabled</c>; during a transition this reverses it.</param>
internal sealed record KernelCalls(Func<ReadOnlyMemory<byte>, int> Load, Func<string, int> Unload, Func<string, bool, int> SetEnabled)
{
    public static KernelCalls Real(KernelPaths paths) => new(LoadModule, UnloadModule, (module, enabled) => WriteEnabled($"{paths.Livepatch(module)}/enabled", enabled));

    // init_module, not finit_module: the bytes that were verified are the bytes that are loaded; no file lies between.
    private static unsafe int LoadModule(ReadOnlyMemory<byte> module)
    {
        using var pinned = module.Pin();
        fixed (byte* noParameters = "\0"u8) return ErrnoOf(Libc.Syscall(SyscallInitModule, (long)pinned.Pointer, module.Length, (long)noParameters));
    }

    private static unsafe int UnloadModule(string module)
    {
        var name = Marshal.StringToCoTaskMemUTF8(module);
        try
        {
            return ErrnoOf(Libc.Syscall(SyscallDeleteModule, name, NonBlocking, 0));
        }
        finally
        {
            Marshal.FreeCoTaskMem(name);
        }
    }

    private static unsafe int WriteEnabled(string path, bool enabled)
    {
        var file = Libc.Open(path, WriteOnly | Libc.OpenCloseOnExec, 0);
        if (file < 0) return Libc.Errno;
        var digit = (byte)(enabled ? '1' : '0');
        var errno = ErrnoOf(Libc.WriteAt(file, &digit, 1, 0));
        _ = Libc.Close(file);
        return errno;
    }

    private static int ErrnoOf(long result) => result < 0 ? Libc.Errno : 0;

    private const long SyscallInitModule = 175, SyscallDeleteModule = 176;      // asm/unistd_64.h
    private const int WriteOnly = 1, NonBlocking = 0x800;
}
