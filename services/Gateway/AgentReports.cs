using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Gateway;

/// <summary>Why a batch of reports was not taken; the agent reads it in its log and sends from the acknowledged position again.</summary>
public sealed class ReportRefused(string message) : Exception(message);

/// <summary>Reads what agents send of their journals. What is no fact of this endpoint at this position is refused, not skipped.</summary>
public static class AgentReports
{
    /// <summary>The reports above the acknowledged position, understood and in sequence.</summary>
    /// <exception cref="ReportRefused">A report is malformed, or the sequence has a gap.</exception>
    public static IReadOnlyList<(Report Report, object Fact)> Read(Guid endpoint, IReadOnlyList<Report> reports, long acknowledged)
    {
        var fresh = new List<(Report, object)>(reports.Count);
        foreach (var report in reports.OrderBy(report => report.Sequence))
        {
            if (report.Sequence <= acknowledged) continue;
            if (report.Sequence != acknowledged + 1) throw new ReportRefused($"Journal entry {acknowledged + 1} is missing before {report.Sequence}. Send from there.");
            fresh.Add((report, Understand(endpoint, report)));
            acknowledged = report.Sequence;
        }
        return fresh;
    }

    /// <summary>Endpoint, journal position and time of a fact that an agent reports; false for what the Gateway itself records.</summary>
    public static bool TryPosition(object fact, out Guid endpoint, out long sequence, out DateTimeOffset at)
    {
        (endpoint, sequence, at) = fact switch
        {
            InventoryReported it => (it.EndpointId, it.AgentSequence, it.At),
            PatchApplied it => (it.EndpointId, it.AgentSequence, it.At),
            PatchRolledBack it => (it.EndpointId, it.AgentSequence, it.At),
            PatchRefused it => (it.EndpointId, it.AgentSequence, it.At),
            PatchFaulted it => (it.EndpointId, it.AgentSequence, it.At),
            HealthVerified it => (it.EndpointId, it.AgentSequence, it.At),
            HealthRegressed it => (it.EndpointId, it.AgentSequence, it.At),
            PatchedProcessExited it => (it.EndpointId, it.AgentSequence, it.At),
            PatchDrifted it => (it.EndpointId, it.AgentSequence, it.At),
            NewcomerPatched it => (it.EndpointId, it.AgentSequence, it.At),
            PackageUpdated it => (it.EndpointId, it.AgentSequence, it.At),
            PackageUpdateFailed it => (it.EndpointId, it.AgentSequence, it.At),
            PatchRetired it => (it.EndpointId, it.AgentSequence, it.At),
            OrderCompleted it => (it.EndpointId, it.AgentSequence, it.At),
            _ => default((Guid, long, DateTimeOffset)),
        };
        return endpoint != Guid.Empty;
    }

    /// <summary>The order that a report is a word of, or null.</summary>
    public static Guid? OrderOf(object fact) => fact switch
    {
        PatchApplied it => it.OrderId,
        PatchRolledBack it => it.OrderId,
        PatchRefused it => it.OrderId,
        PatchFaulted it => it.OrderId,
        HealthVerified it => it.OrderId,
        HealthRegressed it => it.OrderId,
        PackageUpdated it => it.OrderId,
        PackageUpdateFailed it => it.OrderId,
        _ => null,
    };

    private static object Understand(Guid endpoint, Report report)
    {
        if (!FactKinds.ByName.TryGetValue(report.Kind, out var type) || ReportJson.Default.GetTypeInfo(type) is not { } shape)
            throw new ReportRefused($"Journal entry {report.Sequence} is a '{report.Kind}', which agents do not report.");
        try
        {
            var fact = JsonSerializer.Deserialize(report.Json.Span, shape) ?? throw new JsonException("it is null");
            return TryPosition(fact, out var speaker, out var sequence, out _) && (speaker, sequence) == (endpoint, report.Sequence)
                ? fact
                : throw new ReportRefused($"Journal entry {report.Sequence} speaks of another endpoint or position inside.");
        }
        catch (JsonException malformed)
        {
            throw new ReportRefused($"Journal entry {report.Sequence} is not a readable {report.Kind}: {malformed.Message}");
        }
    }
}
