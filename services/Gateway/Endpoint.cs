using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;
using JasperFx.Events;
using Marten.Events.Aggregation;

namespace Hotpatch.Gateway;

/// <summary>One machine under management, folded from its stream; written in the transaction of its events.</summary>
public sealed class Endpoint
{
    public Guid Id { get; set; }
    public string Name { get; set; } = "";
    public Dictionary<string, string> Labels { get; set; } = [];
    public string AgentVersion { get; set; } = "";
    public string? Kernel { get; set; }
    public DateTimeOffset EnrolledAt { get; set; }
    public DateTimeOffset? LastReportAt { get; set; }

    /// <summary>Every journal entry up to here is stored.</summary>
    public long Acknowledged { get; set; }

    public List<RunningBinary> Binaries { get; set; } = [];

    /// <summary>The latest order of each patch: the desired state.</summary>
    public Dictionary<Guid, EndpointOrder> Orders { get; set; } = [];

    public List<InstalledPatch> Patches { get; set; } = [];

    public void Fold(object fact, string? traceParent)
    {
        switch (fact)
        {
            case EndpointEnrolled enrolled:
                (Id, Name, Labels, AgentVersion, EnrolledAt) = (enrolled.EndpointId, enrolled.Name, new(enrolled.Labels), enrolled.AgentVersion, enrolled.At);
                break;
            case InventoryReported inventory:
                (Binaries, AgentVersion, Kernel) = ([.. inventory.Binaries], inventory.AgentVersion, inventory.Kernel);
                Reported(inventory.AgentSequence, inventory.At);
                break;
            case PatchOffered offered:
                Orders[offered.PatchId] = new EndpointOrder(offered.OrderId, OrderKind.Apply, offered.RolloutId, offered.PatchId, offered.PatchName, offered.Digest, offered.Epoch, offered.At, traceParent, null, null);
                break;
            case PatchWithdrawn withdrawn:
                Orders[withdrawn.PatchId] = new EndpointOrder(withdrawn.OrderId, OrderKind.RollBack, withdrawn.RolloutId, withdrawn.PatchId, withdrawn.PatchName, withdrawn.Digest, withdrawn.Epoch, withdrawn.At, traceParent, null, null);
                break;
            case PatchApplied applied:
                Patches.RemoveAll(patch => Same(patch, applied.Process, applied.Digest));
                Patches.Add(new InstalledPatch(applied.PatchId, applied.Digest, applied.Process, applied.BuildId, applied.StopMicroseconds, applied.At));
                Reported(applied.AgentSequence, applied.At);
                break;
            case PatchRolledBack back:
                Patches.RemoveAll(patch => Same(patch, back.Process, back.Digest));
                Reported(back.AgentSequence, back.At);
                break;
            case PatchedProcessExited exited:
                Patches.RemoveAll(patch => Same(patch, exited.Process, exited.Digest));
                Reported(exited.AgentSequence, exited.At);
                break;
            case OrderCompleted completed:
                if (Orders.TryGetValue(completed.PatchId, out var order) && order.OrderId == completed.OrderId)
                    Orders[completed.PatchId] = order with { Result = completed.Result, Reason = completed.Reason };
                Reported(completed.AgentSequence, completed.At);
                break;
            case PatchRefused refused: Reported(refused.AgentSequence, refused.At); break;
            case PatchFaulted faulted: Reported(faulted.AgentSequence, faulted.At); break;
            case HealthVerified verified: Reported(verified.AgentSequence, verified.At); break;
            case HealthRegressed regressed: Reported(regressed.AgentSequence, regressed.At); break;
            case PatchDrifted drifted:
                Patches.RemoveAll(patch => Same(patch, drifted.Process, drifted.Digest));
                Reported(drifted.AgentSequence, drifted.At);
                break;
            case NewcomerPatched newcomer: Reported(newcomer.AgentSequence, newcomer.At); break;
            default: throw new InvalidOperationException($"An endpoint's stream cannot hold a {fact.GetType().Name}.");
        }
    }

    public EndpointDetails ToDetails(bool connected, DateTimeOffset? seenAt) => new(
        Id, Name, Labels, connected, seenAt ?? LastReportAt, AgentVersion, Kernel, Binaries, Patches,
        [.. Orders.Values.OrderByDescending(order => order.At).Select(order => new OrderDetails(order.OrderId, order.Kind, order.RolloutId, order.PatchId, order.PatchName, order.Digest, order.Result, order.Reason, order.At))],
        Acknowledged, EnrolledAt);

    private void Reported(long sequence, DateTimeOffset at)
    {
        Acknowledged = Math.Max(Acknowledged, sequence);
        LastReportAt = at;
    }

    private static bool Same(InstalledPatch patch, ProcessIdentity process, string digest) =>
        patch.Digest == digest && patch.Process.Pid == process.Pid && patch.Process.StartTicks == process.StartTicks;
}

/// <param name="TraceParent">Trace of the command that led to the order; the agent's work belongs to it.</param>
public sealed record EndpointOrder(
    Guid OrderId, OrderKind Kind, Guid RolloutId, Guid PatchId, string PatchName, string Digest, int Epoch, DateTimeOffset At, string? TraceParent, OrderResult? Result, string? Reason);

public sealed partial class EndpointProjection : SingleStreamProjection<Endpoint, Guid>
{
    public EndpointProjection()
    {
        foreach (var fact in GatewayPart.Facts) IncludeType(fact);
    }

    public override Endpoint? Evolve(Endpoint? snapshot, Guid id, IEvent e)
    {
        var endpoint = snapshot ?? new Endpoint { Id = id };
        endpoint.Fold(e.Data, Hosting.TraceContext.Of(e));
        return endpoint;
    }
}

/// <summary>What an agent proves itself with: the hash of its secret, and nothing of it in any event.</summary>
public sealed class EndpointCredential
{
    public Guid Id { get; set; }
    public string SecretHash { get; set; } = "";
}

/// <summary>Keeps endpoint names unique.</summary>
public sealed record EndpointName(string Id, Guid EndpointId);

/// <summary>Whether a rollout lets endpoints begin. An older epoch never opens what a newer one has closed.</summary>
public sealed class RolloutGate
{
    public Guid Id { get; set; }
    public int Epoch { get; set; }
    public bool Open { get; set; }
}

public sealed class RevokedPatch
{
    public Guid Id { get; set; }
}
