using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Marten;
using MassTransit;
using MassTransit.Middleware;

namespace Hotpatch.Rollouts;

/// <summary>An endpoint as planning sees it, kept from what the Gateway announces.</summary>
public sealed class FleetMember
{
    public Guid Id { get; set; }
    public string Name { get; set; } = "";
    public Dictionary<string, string> Labels { get; set; } = [];
    public List<string> BuildIds { get; set; } = [];

    /// <summary>What the machine last told of itself (names in <see cref="Contracts.Traits"/>); empty from agents that do not tell.</summary>
    public Dictionary<string, string> Traits { get; set; } = [];

    public long InventorySequence { get; set; }

    /// <summary>Left the fleet for good: nothing is planned for it, and no rollout waits for it.</summary>
    public bool Decommissioned { get; set; }
}

/// <summary>A patch as planning sees it, kept from what the Catalog announces.</summary>
public sealed class KnownPatch
{
    public Guid Id { get; set; }
    public string Name { get; set; } = "";
    public int Level { get; set; }
    public string Digest { get; set; } = "";
    public List<string> BuildIds { get; set; } = [];
    public string Severity { get; set; } = "";

    /// <summary>The distribution's own update with the same fix; null = none is known.</summary>
    public PackageUpdate? Fallback { get; set; }

    public bool Revoked { get; set; }

    /// <summary>Stopped for now: not planned, and rollouts under way pause.</summary>
    public bool Blocked { get; set; }

    /// <summary>Why, while it is blocked.</summary>
    public string? BlockedBecause { get; set; }

    /// <summary>It was blocked so that it comes out of every process too.</summary>
    public bool RollBack { get; set; }

    /// <summary>When it was last blocked or unblocked: an older message changes nothing.</summary>
    public DateTimeOffset? BlockChangedAt { get; set; }
}

/// <summary>Repeats and late messages change nothing: enrolment sets what it names, an older inventory never replaces a newer one.</summary>
public sealed class KeepFleet(IDocumentSession session) : IConsumer<EndpointEnrolled>, IConsumer<InventoryReported>, IConsumer<EndpointDecommissioned>
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
        if (context.Message.Traits is { } traits) member.Traits = new Dictionary<string, string>(traits);
        await Save(member, context.CancellationToken);
    }

    public async Task Consume(ConsumeContext<EndpointDecommissioned> context)
    {
        var member = await Load(context.Message.EndpointId, context.CancellationToken);
        if (member.Decommissioned) return;
        member.Decommissioned = true;
        await Save(member, context.CancellationToken);
    }

    private async Task<FleetMember> Load(Guid id, CancellationToken ct) => await session.LoadAsync<FleetMember>(id, ct) ?? new FleetMember { Id = id };

    private Task Save(FleetMember member, CancellationToken ct)
    {
        session.Store(member);
        return session.SaveChangesAsync(ct);
    }
}

/// <summary>One at a time of each endpoint, whose messages change one document: a fleet that enrols sends two for each of its endpoints.</summary>
public sealed class KeepFleetDefinition : ConsumerDefinition<KeepFleet>
{
    private const int Partitions = 16;

    public KeepFleetDefinition() => EndpointName = "rollouts-fleet";

    protected override void ConfigureConsumer(IReceiveEndpointConfigurator endpointConfigurator, IConsumerConfigurator<KeepFleet> consumerConfigurator, IRegistrationContext context)
    {
        var partition = new Partitioner(Partitions, new Murmur3UnsafeHashGenerator());
        endpointConfigurator.UsePartitioner<EndpointEnrolled>(partition, message => message.Message.EndpointId);
        endpointConfigurator.UsePartitioner<InventoryReported>(partition, message => message.Message.EndpointId);
        endpointConfigurator.UsePartitioner<EndpointDecommissioned>(partition, message => message.Message.EndpointId);
    }
}

/// <summary>Repeats and late messages change nothing: of blocking and unblocking the newer counts, and a revocation is for good.</summary>
public sealed class KeepPatches(IDocumentSession session) :
    IConsumer<PatchPublished>, IConsumer<PatchRevoked>, IConsumer<PatchBlocked>, IConsumer<PatchUnblocked>
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
            Severity = published.Severity,
            Fallback = published.Fallback,
        });
        await session.SaveChangesAsync(context.CancellationToken);
    }

    public Task Consume(ConsumeContext<PatchRevoked> context) => Change(context, context.Message.PatchId, patch => patch.Revoked = true);

    public Task Consume(ConsumeContext<PatchBlocked> context) => Block(context, context.Message.PatchId, context.Message.Reason, context.Message.RollBack, context.Message.At);

    public Task Consume(ConsumeContext<PatchUnblocked> context) => Block(context, context.Message.PatchId, null, rollBack: false, context.Message.At);

    private Task Block(ConsumeContext context, Guid id, string? because, bool rollBack, DateTimeOffset at) => Change(context, id, patch =>
    {
        if (patch.BlockChangedAt > at) return;
        (patch.Blocked, patch.BlockedBecause, patch.RollBack, patch.BlockChangedAt) = (because is not null, because, rollBack, at);
    });

    private async Task Change(ConsumeContext context, Guid id, Action<KnownPatch> change)
    {
        // What overtook the patch's publication is retried until the patch is known.
        var patch = await session.LoadAsync<KnownPatch>(id, context.CancellationToken)
            ?? throw new InvalidOperationException($"Patch {id} was revoked or blocked before it was heard of.");
        change(patch);
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
