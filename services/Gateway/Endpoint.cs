using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Gateway;

/// <summary>One machine under management, folded from its stream; written in the transaction of its events.</summary>
public sealed class Endpoint
{
    public Guid Id { get; set; }
    public string Name { get; set; } = "";
    public Dictionary<string, string> Labels { get; set; } = [];
    public Dictionary<string, string> Traits { get; set; } = [];
    public string AgentVersion { get; set; } = "";
    public string? Kernel { get; set; }
    public DateTimeOffset EnrolledAt { get; set; }
    public DateTimeOffset? LastReportAt { get; set; }
    public DateTimeOffset? DecommissionedAt { get; set; }

    /// <summary>Every journal entry up to here is stored.</summary>
    public long Acknowledged { get; set; }

    public List<RunningBinary> Binaries { get; set; } = [];

    /// <summary>The latest order of each patch: the desired state.</summary>
    public Dictionary<Guid, EndpointOrder> Orders { get; set; } = [];

    public List<InstalledPatch> Patches { get; set; } = [];

    /// <summary>IANA name of the endpoint's own zone, or null where nobody told. A label wins over what the machine says.</summary>
    public string? TimeZone() => Labels.GetValueOrDefault(Contracts.Traits.TimeZone) ?? Traits.GetValueOrDefault(Contracts.Traits.TimeZone);

    public EndpointOrder? Order(Guid id) => Orders.Values.FirstOrDefault(order => order.OrderId == id);

    public void Fold(object fact, string? traceParent)
    {
        switch (fact)
        {
            case EndpointEnrolled enrolled:
                (Id, Name, Labels, AgentVersion, EnrolledAt) = (enrolled.EndpointId, enrolled.Name, new(enrolled.Labels), enrolled.AgentVersion, enrolled.At);
                break;
            case EndpointDecommissioned gone: DecommissionedAt = gone.At; break;
            case InventoryReported inventory:
                (Binaries, AgentVersion, Kernel) = ([.. inventory.Binaries], inventory.AgentVersion, inventory.Kernel);
                if (inventory.Traits is { } traits) Traits = new(traits);
                Reported(inventory.AgentSequence, inventory.At);
                break;
            case PatchOffered or PatchWithdrawn or FallbackOffered:
                var patch = EndpointOrder.PatchOf(fact);
                Orders[patch] = EndpointOrder.From(fact, Orders.GetValueOrDefault(patch), traceParent);
                break;
            case OrderCancelled cancelled: End(cancelled.PatchId, cancelled.OrderId, OrderResult.Cancelled, cancelled.Reason); break;
            case OrderExpired expired: End(expired.PatchId, expired.OrderId, OrderResult.TimedOut, EndpointOrder.NothingHeard); break;
            case OrderCompleted completed:
                End(completed.PatchId, completed.OrderId, completed.Result, completed.Reason);
                Reported(completed.AgentSequence, completed.At);
                break;
            case PatchApplied applied:
                Patches.RemoveAll(installed => Same(installed, applied.Process, applied.Digest));
                Patches.Add(new InstalledPatch(applied.PatchId, applied.Digest, applied.Process, applied.BuildId, applied.StopMicroseconds, applied.At));
                Reported(applied.AgentSequence, applied.At);
                break;
            case PatchRolledBack back: Gone(back.Process, back.Digest, back.AgentSequence, back.At); break;
            case PatchedProcessExited exited: Gone(exited.Process, exited.Digest, exited.AgentSequence, exited.At); break;
            case PatchDrifted drifted: Gone(drifted.Process, drifted.Digest, drifted.AgentSequence, drifted.At); break;
            default:
                if (!AgentReports.TryPosition(fact, out _, out var sequence, out var at)) throw new InvalidOperationException($"An endpoint's stream cannot hold a {fact.GetType().Name}.");
                Reported(sequence, at);
                break;
        }
    }

    /// <param name="permitOf">What the permit desk says of an open order, or null.</param>
    public EndpointDetails ToDetails(bool connected, DateTimeOffset? seenAt, Func<EndpointOrder, string?> permitOf) => new(
        Id, Name, Labels, connected, seenAt ?? LastReportAt, AgentVersion, Kernel, Binaries, Patches,
        [.. Orders.Values.OrderByDescending(order => order.At).Select(order => order.ToDetails(order.IsOpen ? permitOf(order) : null))], Acknowledged, EnrolledAt)
    {
        Traits = Traits,
        DecommissionedAt = DecommissionedAt,
    };

    private void End(Guid patch, Guid order, OrderResult result, string? reason)
    {
        if (Orders.TryGetValue(patch, out var current) && current.OrderId == order) Orders[patch] = current with { Result = result, Reason = reason };
    }

    private void Gone(ProcessIdentity process, string digest, long sequence, DateTimeOffset at)
    {
        Patches.RemoveAll(installed => Same(installed, process, digest));
        Reported(sequence, at);
    }

    private void Reported(long sequence, DateTimeOffset at)
    {
        Acknowledged = Math.Max(Acknowledged, sequence);
        LastReportAt = at;
    }

    private static bool Same(InstalledPatch patch, ProcessIdentity process, string digest) =>
        patch.Digest == digest && patch.Process.Pid == process.Pid && patch.Process.StartTicks == process.StartTicks;
}

/// <summary>What an agent proves itself with: the hash of its secret, and nothing of it in any event.</summary>
public sealed class EndpointCredential
{
    public Guid Id { get; set; }
    public string SecretHash { get; set; } = "";

    /// <summary>Why the endpoint may not come back, or null.</summary>
    public string? Decommissioned { get; set; }
}

/// <summary>Keeps endpoint names unique.</summary>
public sealed record EndpointName(string Id, Guid EndpointId);
