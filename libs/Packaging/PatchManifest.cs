using System.Text.Json.Serialization;

namespace Hotpatch.Packaging;

/// <summary>
/// What a package claims: which binaries it changes, how, and what it needs. Signed byte for byte as written, so nothing is
/// ever re-serialized to check a signature.
/// </summary>
public sealed record PatchManifest
{
    /// <summary>Lower-case letters, digits and <c>-._</c>, at most 64; unique with its level, such as <c>redis-zipmap-1</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Order among patches of the same name's targets, from 1. A higher level replaces a lower one in a process.</summary>
    public required int Level { get; init; }

    public required string Summary { get; init; }

    /// <summary>low, medium, high or critical.</summary>
    public required string Severity { get; init; }

    /// <summary>Published identifiers of the weaknesses it answers, such as <c>CVE-2026-25243</c>.</summary>
    public required IReadOnlyList<string> Advisories { get; init; }

    /// <summary>One entry for each exact binary; at least one.</summary>
    public required IReadOnlyList<TargetManifest> Targets { get; init; }

    /// <summary>How a patched process proves that it still works. May be empty: then only "alive" is checked.</summary>
    public required IReadOnlyList<HealthProbe> Probes { get; init; }

    /// <summary>The distribution's own update with the same fix; null = none is known. Left out of the file then, so that other packages keep their bytes.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public PackageFallback? Fallback { get; init; }
}

/// <summary>The ordinary way to the same fix, where a process cannot be patched.</summary>
/// <param name="Package">Name of the distribution's package, such as <c>redis-server</c>.</param>
/// <param name="Version">The first version with the fix, as dpkg writes it.</param>
/// <param name="Restart">systemd units that run the old file and are restarted after the update.</param>
public sealed record PackageFallback(string Package, string Version, IReadOnlyList<string> Restart);

/// <summary>One binary, named by its build-id, and the code that replaces its functions.</summary>
public sealed record TargetManifest
{
    /// <summary>NT_GNU_BUILD_ID note of the shipped file, lower-case hex.</summary>
    public required string BuildId { get; init; }

    /// <summary>File name for people, such as <c>redis-server</c>; identity is the build-id.</summary>
    public required string Module { get; init; }

    /// <summary>Which threads must be elsewhere while the entries are switched.</summary>
    public required Consistency Consistency { get; init; }

    /// <summary>Functions of the shipped binary that are replaced.</summary>
    public required IReadOnlyList<PatchedFunction> Functions { get; init; }

    /// <summary>Symbols of the shipped binary that the new code refers to; the engine asks no symbol table of the target for these.</summary>
    public required IReadOnlyList<BoundSymbol> Symbols { get; init; }

    /// <summary>Relocatable ELF objects (ET_REL, x86-64): the new code, cut down to what the replaced functions need; or a kernel module, whole.</summary>
    public required IReadOnlyList<PayloadObject> Objects { get; init; }

    /// <summary>Set when the target is the running kernel. Left out of the file otherwise, so that other packages keep their bytes.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public KernelLivepatch? Livepatch { get; init; }
}

[JsonConverter(typeof(JsonStringEnumConverter<Consistency>))]
public enum Consistency
{
    /// <summary>Old and new code may run side by side for a moment: only the bytes that are overwritten must be free of threads.</summary>
    [JsonStringEnumMemberName("independent")] Independent,

    /// <summary>No thread may be inside, or return into, any replaced function at the instant of the switch.</summary>
    [JsonStringEnumMemberName("set")] Set,
}

/// <param name="Name">Symbol name in the original build, clone suffix included (<c>readSyncBulkPayload.part.0</c>).</param>
/// <param name="Address">Virtual address in the shipped file (load bias excluded).</param>
/// <param name="Size">Bytes of the function in the shipped file.</param>
/// <param name="Sha256">Hex digest of those bytes: what memory must hold, outside of sites of ours, before anything is written.</param>
/// <param name="Object">Index into <see cref="TargetManifest.Objects"/> of the object that defines the replacement.</param>
/// <param name="Replacement">Symbol of the replacement in that object.</param>
public sealed record PatchedFunction(string Name, ulong Address, int Size, string Sha256, int Object, string Replacement);

/// <param name="Name">Symbol name as the payload object refers to it.</param>
/// <param name="Object">Index of the payload object whose local name this is, or -1 when any object's reference means it.</param>
/// <param name="Address">Virtual address in the shipped file; for thread-local symbols the offset in its TLS segment.</param>
public sealed record BoundSymbol(string Name, int Object, ulong Address, ulong Size, SymbolKind Kind);

[JsonConverter(typeof(JsonStringEnumConverter<SymbolKind>))]
public enum SymbolKind
{
    [JsonStringEnumMemberName("function")] Function,
    [JsonStringEnumMemberName("object")] Object,
    [JsonStringEnumMemberName("tls")] ThreadLocal,
}

/// <param name="Name">Source object's name for people, such as <c>src/rdb.o</c>.</param>
/// <param name="Offset">Offset in the package's payload area, bytes.</param>
public sealed record PayloadObject(string Name, long Offset, int Length, string Sha256);

/// <summary>A question put to a patched process: over TCP on a port it listens on, or by a program that must end with 0.</summary>
/// <param name="Name">For people, such as <c>ping</c>.</param>
/// <param name="Kind"><c>tcp</c>, <c>http</c> (GET) or <c>command</c>.</param>
/// <param name="Port">Port number, or 0 for the lowest port the process listens on; always 0 for a command.</param>
/// <param name="Send">tcp: text sent after connecting, C-style escapes resolved. http: the path, from its <c>/</c>. command: program and arguments between spaces; no shell.</param>
/// <param name="Expect">tcp: the answer begins with this. http: a status of three digits, or what the body of a 2xx answer begins with. command: empty.</param>
/// <param name="TimeoutMilliseconds">Everything together; at most 5,000 for a command.</param>
public sealed record HealthProbe(string Name, string Kind, int Port, string Send, string Expect, int TimeoutMilliseconds);

[JsonSourceGenerationOptions(
    System.Text.Json.JsonSerializerDefaults.Web,
    AllowDuplicateProperties = false,
    PropertyNameCaseInsensitive = false,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    MaxDepth = 16,
    WriteIndented = false)]
[JsonSerializable(typeof(PatchManifest))]
[JsonSerializable(typeof(List<SignatureEntry>))]
internal sealed partial class ManifestJson : JsonSerializerContext;
