using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hotpatch.Contracts.Patcher;

/// <summary>
/// The agent's request to <c>hotpatch-patcher</c>, one JSON document on its standard input. The patcher answers with one
/// <see cref="PatcherResult"/> on standard output and ends; its exit code is 0 when it could answer at all.
/// </summary>
public sealed record PatcherRequest
{
    public required PatcherVerb Verb { get; init; }

    /// <summary>Target process; 0 is the running kernel. Meaningless for <see cref="PatcherVerb.Scan"/> and <see cref="PatcherVerb.Verify"/>.</summary>
    public int Pid { get; init; }

    /// <summary>Start time of the process the caller means (clock ticks since boot), or, of the kernel, the number of its boot; 0 = do not compare.</summary>
    public long StartTicks { get; init; }

    /// <summary>Path of the signed package; required by apply and verify.</summary>
    public string? Package { get; init; }

    /// <summary>Digest of the patch; required by roll back, and compared with the package by apply when given.</summary>
    public string? Digest { get; init; }

    /// <summary>Folder of trusted public keys (*.pub, PEM). The patcher trusts nobody else, whoever calls it.</summary>
    public string? TrustFolder { get; init; }

    /// <summary>Scan only: processes whose working directory lies below this path; null = every process of the machine, and its kernel.</summary>
    public string? Scope { get; init; }

    /// <summary>Kernel only: how long its transition may take before it is reversed; 0 = the engine's own limit.</summary>
    public int TransitionSeconds { get; init; }
}

[JsonConverter(typeof(CamelCaseEnum<PatcherVerb>))]
public enum PatcherVerb { Scan, Verify, Apply, RollBack, Status, Attest }

[JsonConverter(typeof(CamelCaseEnum<PatcherOutcome>))]
public enum PatcherOutcome
{
    /// <summary>Done, and read back.</summary>
    Done,

    /// <summary>Memory already was as asked; nothing was changed.</summary>
    Already,

    /// <summary>Asked wrongly or unsafe: nothing was changed.</summary>
    Refused,

    /// <summary>No safe instant within the limits; nothing was changed; worth another try later.</summary>
    Busy,

    /// <summary>It began and failed; <see cref="PatcherResult.Undone"/> says in what state the process is.</summary>
    Faulted,

    /// <summary>The process is gone.</summary>
    Gone,
}

public sealed record PatcherResult
{
    public required PatcherOutcome Outcome { get; init; }

    /// <summary>Stable code of a refusal, fault or busy answer, such as <c>target.build_id_mismatch</c>.</summary>
    public string? Code { get; init; }

    /// <summary>One sentence for a person, saying what to do.</summary>
    public string? Reason { get; init; }

    public string? Stage { get; init; }
    public string? Undone { get; init; }
    public int Sites { get; init; }
    public int Threads { get; init; }

    /// <summary>From the first interrupt to the last release, by the patcher's clock.</summary>
    public int StopMicroseconds { get; init; }

    /// <summary>Stops tried until all threads were at a safe place.</summary>
    public int Attempts { get; init; }

    public string? BuildId { get; init; }

    /// <summary>Kernel only: until every task used the new functions, or the old ones again.</summary>
    public int TransitionMilliseconds { get; init; }

    /// <summary>Kernel only: what it logged of the operation, oldest first.</summary>
    public IReadOnlyList<string>? KernelLog { get; init; }

    /// <summary>Threads asleep in replaced code that go on there when they wake: apply of a patch whose old and new code may run side by side.</summary>
    public int OldFrames { get; init; }

    /// <summary>Code in memory that is neither its file's nor a patch's (attest), a sentence each; empty = none.</summary>
    public IReadOnlyList<string>? Drift { get; init; }

    /// <summary>Patches found in memory (status, attest), lowest level first.</summary>
    public IReadOnlyList<AppliedPatch>? Applied { get; init; }

    /// <summary>Processes found (scan).</summary>
    public IReadOnlyList<ScannedProcess>? Processes { get; init; }
}

/// <summary>A patch as its descriptor in the process's own memory tells it.</summary>
/// <param name="Intact">Every site and the patch's own pages hold the expected bytes.</param>
/// <param name="Active">False for a patch that is mapped but whose sites hold the original code.</param>
public sealed record AppliedPatch(string Digest, string Name, int Level, string BuildId, int Sites, bool Active, bool Intact, int StopMicroseconds, int Threads, string? Finding);

/// <param name="Binaries">Build-ids mapped executable, the program first.</param>
/// <param name="Listening">TCP ports the process listens on, IPv4 or IPv6, lowest first.</param>
/// <param name="Patches">Digests of the patches its memory holds whole; null when it may not be read.</param>
public sealed record ScannedProcess(
    int Pid, long StartTicks, string Executable, IReadOnlyList<ScannedBinary> Binaries, IReadOnlyList<int> Listening, IReadOnlyList<string>? Patches = null);

public sealed record ScannedBinary(string BuildId, string Module);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PatcherRequest))]
[JsonSerializable(typeof(PatcherResult))]
public sealed partial class PatcherJson : JsonSerializerContext;
