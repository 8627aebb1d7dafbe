using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Cli.Simulation;

/// <summary>Facts as real agents write them: the same records, the same JSON.</summary>
internal static class FactJson
{
    public static JournalEntry Entry<T>(long sequence, T fact, string traceParent) where T : class =>
        new(sequence, FactKinds.NameOf(typeof(T)), JsonSerializer.SerializeToUtf8Bytes(fact, (JsonTypeInfo<T>)ReportJson.Default.GetTypeInfo(typeof(T))!), traceParent);

    /// <summary>The one process of an agent.</summary>
    public static ProcessIdentity ProcessOf(int agent) => new(1000 + agent % 30_000, 100_000 + agent, "/usr/sbin/simulated");

    public static InventoryReported Inventory(SimulatedAgent agent, SimulationOptions options, IReadOnlyDictionary<string, string> labels, long sequence, DateTimeOffset at) => new(
        agent.Id, sequence, [.. options.BuildIds.Select(build => new RunningBinary(build, "simulated", 1))], "simulated", "6.1.0", at)
    {
        Traits = new Dictionary<string, string>
        {
            [Traits.Os] = "debian", [Traits.OsVersion] = "12", [Traits.Arch] = "x86-64", [Traits.Kernel] = "6.1.0",
            [Traits.MemoryMb] = (1024 << (agent.Index % 5)).ToString(System.Globalization.CultureInfo.InvariantCulture), [Traits.SecureBoot] = agent.Index % 2 == 0 ? "yes" : "no", [Traits.Tpm] = "unknown",
            [Traits.TimeZone] = labels.GetValueOrDefault(Traits.TimeZone, "Etc/UTC"),
        },
    };
}
