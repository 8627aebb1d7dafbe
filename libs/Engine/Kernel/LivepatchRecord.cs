using System.Text.Json;
using System.Text.Json.Serialization;
using Hotpatch.Packaging;

namespace Hotpatch.Engine.Kernel;

/// <summary>
/// Which patch a livepatch module is. The kernel knows the module only; the record says the rest, and nothing that the kernel could
/// contradict. Written before the module is loaded, so a livepatch of ours never lacks one.
/// </summary>
internal sealed record LivepatchRecord(
    string Digest, string Name, int Level, string BuildId, string Module, string? ModuleBuildId, IReadOnlyList<LivepatchedFunction> Functions, IReadOnlyList<ContainedFix> Contains);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(LivepatchRecord))]
internal sealed partial class LivepatchRecordJson : JsonSerializerContext;

/// <summary>The records of this boot, a file a module.</summary>
internal sealed class LivepatchRecords(KernelPaths paths)
{
    public LivepatchRecord? Of(string module)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllText(PathOf(module)), LivepatchRecordJson.Default.LivepatchRecord) is { } record && record.Module == module ? record : null;
        }
        catch (Exception away) when (away is IOException or JsonException)
        {
            return null;
        }
    }

    public IEnumerable<LivepatchRecord> All() =>
        Directory.Exists(paths.Records) ? [.. Directory.EnumerateFiles(paths.Records, "*.json").Select(file => Of(Path.GetFileNameWithoutExtension(file))).OfType<LivepatchRecord>()] : [];

    public void Write(LivepatchRecord record)
    {
        Directory.CreateDirectory(paths.Records);
        var beside = PathOf(record.Module) + ".new";
        File.WriteAllText(beside, JsonSerializer.Serialize(record, LivepatchRecordJson.Default.LivepatchRecord));
        File.Move(beside, PathOf(record.Module), overwrite: true);
    }

    public void Drop(string module) => File.Delete(PathOf(module));

    /// <summary>One patcher at a time: the kernel itself takes one transition at a time, and answers a second with an EBUSY that says no more.</summary>
    /// <exception cref="EngineFault">Another one is at work.</exception>
    public IDisposable Lock()
    {
        Directory.CreateDirectory(paths.Records);
        try
        {
            return new FileStream(Path.Combine(paths.Records, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw new EngineFault(FaultKind.Busy, "kernel.locked", "Another patcher is at work on this kernel. Try again when it is done.");
        }
    }

    private string PathOf(string module) => Path.Combine(paths.Records, $"{module}.json");
}
