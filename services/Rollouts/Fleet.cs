using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Marten;
using MassTransit;

namespace Hotpatch.Rollouts;

/// <summary>An endpoint as planning sees it, kept from what the Gateway announces.</summary>
public sealed class FleetMember
{
    public Guid Id { get; set; }
    public string Name { get; set; } = "";
    public Dictionary<string, string> Labels { get; set; } = [];
    public List<string> BuildIds { get; set; } = [];
    public long InventorySequence { get; set; }
}

/// <summary>A patch as planning sees it, kept from what the Catalog announces.</summary>
public sealed class KnownPatch
{
    public Guid Id { get; set; }
    public string Name { get; set; } = "";
    public int Level { get; set; }
    public string Digest { get; set; } = "";
    public List<string> BuildIds { get; set; } = [];
    public bool Revoked { get; set; }
    public bool Blocked { get; set; }
}

/// <summary>Repeats and late messages change nothing: enrolment sets what it names, an older inventory never replaces a newer one.</summary>
public sealed class KeepFleet(IDocumentSession session) : IConsumer<EndpointEnrolled>, IConsumer<InventoryReported>
{
    public async Task Consume(ConsumeContext<EndpointEnrolled> context)
    {
        var member = await Load(context.Message.EndpointId, context.CancellationToken);
        member.Name = context.Message.Name;
        member.Labels = new Dictionary<string, string>(context.Message.Labels);
        await Save(member, context.CancellationToken);
    }

    public async Task Consume(ConsumeContext<InventoryReported> context)
    {
        var member = await Load(context.Message.EndpointId, context.CancellationToken);
        if (member.InventorySequence >= context.Message.AgentSequence) return;
        member.InventorySequence = context.Message.AgentSequence;
        member.BuildIds = [.. context.Message.Binaries.Select(binary => binary.BuildId).Distinct()];
        await Save(member, context.CancellationToken);
    }

    private async Task<FleetMember> Load(Guid id, CancellationToken ct) => await session.LoadAsync<FleetMember>(id, ct) ?? new FleetMember { Id = id };

    private Task Save(FleetMember member, CancellationToken ct)
    {
        session.Store(member);
        return session.SaveChangesAsync(ct);
    }
}

/// <summary>One at a time: the two messages of an endpoint change one document.</summary>
public sealed class KeepFleetDefinition : ConsumerDefinition<KeepFleet>
{
    public KeepFleetDefinition()
    {
        EndpointName = "rollouts-fleet";
        ConcurrentMessageLimit = 1;
    }
}

public sealed class KeepPatches(IDocumentSession session) : IConsumer<PatchPublished>, IConsumer<PatchRevoked>
{
    public async Task Consume(ConsumeContext<PatchPublished> context)
    {
        var published = context.Message;
        if (await session.LoadAsync<KnownPatch>(published.PatchId, context.CancellationToken) is not null) return;
        session.Store(new KnownPatch
        {
            Id = published.PatchId,
            Name = published.Name,
            Level = published.Level,
            Digest = published.Digest,
            BuildIds = [.. published.Targets.Select(target => target.BuildId)],
        });
        await session.SaveChangesAsync(context.CancellationToken);
    }

    public async Task Consume(ConsumeContext<PatchRevoked> context)
    {
        // A revocation that overtook its publication is retried until the patch is known.
        var patch = await session.LoadAsync<KnownPatch>(context.Message.PatchId, context.CancellationToken)
            ?? throw new InvalidOperationException($"Patch {context.Message.PatchId} was revoked before it was heard of.");
        patch.Revoked = true;
        session.Store(patch);
        await session.SaveChangesAsync(context.CancellationToken);
    }
}

public sealed class KeepPatchesDefinition : ConsumerDefinition<KeepPatches>
{
    public KeepPatchesDefinition()
    {
        EndpointName = "rollouts-patches";
        ConcurrentMessageLimit = 1;
    }
}
