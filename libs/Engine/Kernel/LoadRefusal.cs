namespace Hotpatch.Engine.Kernel;

/// <summary>Why the kernel did not take a module. Several causes share an errno; its log, which is kept as evidence, tells them apart.</summary>
internal static class LoadRefusal
{
    private const int NotPermitted = 1, NoEntry = 2, NoExecutable = 8, Busy = 16, Exists = 17, Invalid = 22, BadMessage = 74, NoKey = 126, KeyRejected = 129;      // asm-generic/errno.h

    public static EngineFault Of(int errno, string module, IReadOnlyList<string> log)
    {
        var said = log.Count > 0 ? $" The kernel said: {log[^1]}" : "";
        return errno switch
        {
            KeyRejected or NoKey or BadMessage => Refuse("kernel.signature", $"The kernel takes only modules signed by a key it trusts, and {module} is not. Sign the module with such a key before it is packed, or enrol its key (MOK).{said}"),
            NotPermitted => Refuse("kernel.not_permitted", $"The kernel does not let modules be loaded: that needs CAP_SYS_MODULE, and kernel.modules_disabled must be 0.{said}"),
            Exists => Refuse("kernel.module_present", $"A module named {module} is loaded already. Unload it with rmmod, or give the livepatch another name."),
            Busy => new EngineFault(FaultKind.Busy, "kernel.transition_running", $"The kernel is in another transition, or in the middle of something else that livepatches cannot cross. Try again later.{said}", "load") { Evidence = log },
            Invalid => Refuse("kernel.rejected", $"The kernel rejects livepatch {module}; mostly that is a function that this kernel does not have.{said}"),
            NoEntry => Refuse("kernel.unresolved_symbol", $"Module {module} needs a symbol that this kernel does not have.{said}"),
            NoExecutable => Refuse("payload.malformed", $"The kernel does not take {module} for a module of its own kind.{said} Build the package again."),
            _ => new EngineFault(FaultKind.Faulted, "system.errno", $"Loading {module} failed: {System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(errno)} (errno {errno}).{said}", "load") { Evidence = log },
        };

        EngineFault Refuse(string code, string message) => new(FaultKind.Refused, code, message, "load") { Evidence = log };
    }
}
