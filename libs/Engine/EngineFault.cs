namespace Hotpatch.Engine;

/// <summary>What kind of no an engine answers with.</summary>
public enum FaultKind
{
    /// <summary>Asked wrongly or unsafe. Nothing was changed.</summary>
    Refused,

    /// <summary>No safe instant within the limits. Nothing was changed; worth another try.</summary>
    Busy,

    /// <summary>The process is gone.</summary>
    Gone,

    /// <summary>It began and failed; <see cref="EngineFault.Undone"/> tells the state of the process.</summary>
    Faulted,
}

/// <summary>An operation on a process did not happen, or not whole.</summary>
public sealed class EngineFault(FaultKind kind, string code, string message, string stage = "preflight", string undone = "nothing was changed") : Exception(message)
{
    public FaultKind Kind { get; } = kind;

    /// <summary>Stable, such as <c>target.build_id_mismatch</c>.</summary>
    public string Code { get; } = code;

    public string Stage { get; } = stage;
    public string Undone { get; } = undone;

    /// <summary>What the kernel logged meanwhile, where it was the kernel that said no.</summary>
    public IReadOnlyList<string> Evidence { get; init; } = [];

    public static EngineFault Refuse(string code, string message, string stage = "preflight") => new(FaultKind.Refused, code, message, stage);

    public static EngineFault Gone(int pid) => new(FaultKind.Gone, "target.gone", $"Process {pid} is gone. A process started since then is another target.");

    /// <summary>A system call answered with an error nobody planned for.</summary>
    public static EngineFault FromErrno(string stage, string what, int errno, string undone = "nothing was changed") =>
        new(FaultKind.Faulted, "system.errno", $"{what} failed: {System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(errno)} (errno {errno}).", stage, undone);
}
