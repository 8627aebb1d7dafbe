namespace Hotpatch.Contracts;

/// <summary>
/// What an endpoint tells of its machine, by name. Expressions of targets, requirements and holds read labels and traits alike; a
/// label of the same name wins.
/// </summary>
public static class Traits
{
    /// <summary>ID of os-release(5), such as <c>debian</c>; and its VERSION_ID.</summary>
    public const string Os = "os", OsVersion = "osVersion";

    /// <summary><c>x86-64</c>.</summary>
    public const string Arch = "arch";

    /// <summary>Release of the running kernel, as uname(2) gives it.</summary>
    public const string Kernel = "kernel";

    /// <summary>MemTotal of proc_meminfo(5) in MiB, a whole number.</summary>
    public const string MemoryMb = "memoryMb";

    /// <summary><c>yes</c>, <c>no</c> or <c>unknown</c>: the EFI variable SecureBoot; a TPM device below /sys/class/tpm.</summary>
    public const string SecureBoot = "secureBoot", Tpm = "tpm";

    /// <summary>IANA name of the machine's time zone, such as <c>Europe/Berlin</c>.</summary>
    public const string TimeZone = "timeZone";
}
