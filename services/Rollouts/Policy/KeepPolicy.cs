using Hotpatch.Contracts.Catalog;
using Marten;
using MassTransit;

namespace Hotpatch.Rollouts.Policies;

/// <summary>
/// Keeps what the Catalog announces of policy. Each message is a document of its own, stored under an id that follows from it, and none
/// is ever read to write another: repeats, late messages and two nodes at once all end in the same documents.
/// </summary>
public sealed class KeepPolicy(IDocumentSession session) :
    IConsumer<PolicyPublished>, IConsumer<WaiverGranted>, IConsumer<WaiverRevoked>, IConsumer<HoldPlaced>, IConsumer<HoldLifted>,
    IConsumer<FreezeDeclared>, IConsumer<FreezeLifted>
{
    public Task Consume(ConsumeContext<PolicyPublished> context) => Store(context, new PolicyInForce { Id = context.Message.Version, Published = context.Message });
    public Task Consume(ConsumeContext<WaiverGranted> context) => Store(context, new Waiver { Id = context.Message.WaiverId, Granted = context.Message });
    public Task Consume(ConsumeContext<WaiverRevoked> context) => Lift(context, context.Message.WaiverId, context.Message.At);
    public Task Consume(ConsumeContext<HoldPlaced> context) => Store(context, new Hold { Id = context.Message.HoldId, Placed = context.Message });
    public Task Consume(ConsumeContext<HoldLifted> context) => Lift(context, context.Message.HoldId, context.Message.At);
    public Task Consume(ConsumeContext<FreezeDeclared> context) => Store(context, new Freeze { Id = context.Message.FreezeId, Declared = context.Message });
    public Task Consume(ConsumeContext<FreezeLifted> context) => Lift(context, context.Message.FreezeId, context.Message.At);

    private Task Lift(ConsumeContext context, Guid id, DateTimeOffset at) => Store(context, new Lifted { Id = id, At = at });

    private Task Store<T>(ConsumeContext context, T document) where T : notnull
    {
        session.Store(document);
        return session.SaveChangesAsync(context.CancellationToken);
    }
}

public sealed class KeepPolicyDefinition : ConsumerDefinition<KeepPolicy>
{
    public KeepPolicyDefinition() => EndpointName = "rollouts-policy";
}

/// <summary>One version of the policy; the highest is in force. <see cref="Id"/> is the version, so that a late one replaces none.</summary>
public sealed class PolicyInForce
{
    public int Id { get; set; }
    public PolicyPublished Published { get; set; } = null!;
}

public sealed class Waiver
{
    public Guid Id { get; set; }
    public WaiverGranted Granted { get; set; } = null!;
}

public sealed class Hold
{
    public Guid Id { get; set; }
    public HoldPlaced Placed { get; set; } = null!;
}

public sealed class Freeze
{
    public Guid Id { get; set; }
    public FreezeDeclared Declared { get; set; } = null!;
}

/// <summary>The waiver, hold or freeze of this id is over, whether or not it was heard of already.</summary>
public sealed class Lifted
{
    public Guid Id { get; set; }
    public DateTimeOffset At { get; set; }
}
