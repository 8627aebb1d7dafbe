using Hotpatch.Contracts.Gateway;
using Hotpatch.Hosting;
using Hotpatch.Rollouts.Planning;
using Hotpatch.Rollouts.Policies;
using Marten;
using MassTransit;

namespace Hotpatch.Rollouts;

/// <summary>
/// Keeps open rollouts to the fleet as it is: who reports in and fits a dynamic rollout joins it, who was taken out of the fleet leaves
/// every rollout. The decisions are <see cref="Joiners"/> and <see cref="Leavers"/>; here they are appended to the rollout's stream under
/// the version they were made on, and made again when the saga was faster.
/// </summary>
public sealed class Membership(IDocumentStore store, TimeProvider clock)
{
    /// <param name="candidates">As they are now; those who do not fit stay out.</param>
    public async Task Join(IReadOnlyCollection<FleetMember> candidates, CancellationToken ct)
    {
        await using var session = store.QuerySession();
        var now = clock.GetUtcNow();
        var dynamic = await session.Query<RolloutView>().Where(view => view.IsAlive && view.Rollout.Terms.Dynamic).ToListAsync(ct);
        if (dynamic.Count == 0) return;
        var inForce = await InForce.Load(session, now, ct);
        foreach (var view in dynamic)
        {
            if (await session.LoadAsync<KnownPatch>(view.Rollout.PatchId, ct) is not { Revoked: false, Blocked: false } patch) continue;
            var targeting = new Targeting(view.Rollout.Target, patch, view.Rollout.Terms.Exclusions ?? [], inForce);
            await Record(view.Id, rollout => Joiners.Decide(rollout, candidates, targeting, now), ct);
        }
    }

    public async Task Leave(Guid endpoint, string reason, CancellationToken ct)
    {
        await using var session = store.QuerySession();
        // What is planned and has not started counts too: its plan names the endpoint.
        var open = await session.Query<RolloutView>().Where(view => view.IsAlive || view.Rollout.StartedAt == null).Select(view => view.Id).ToListAsync(ct);
        foreach (var id in open) await Record(id, rollout => Leavers.Decide(rollout, [endpoint], reason, clock.GetUtcNow()), ct);
    }

    private Task<bool> Record(Guid id, Func<Rollout, Decision> decide, CancellationToken ct) =>
        RolloutStream.Append(store, id, (rollout, _) => Task.FromResult(decide(rollout).Events), ct);
}

/// <summary>The fast way into a dynamic rollout. The report itself may be ahead of what <see cref="KeepFleet"/> has stored of it.</summary>
public sealed class JoinOnReport(Membership membership, IQuerySession session) : IConsumer<Batch<InventoryReported>>
{
    public async Task Consume(ConsumeContext<Batch<InventoryReported>> context)
    {
        var reports = context.Message.Select(message => message.Message).GroupBy(report => report.EndpointId).Select(same => same.MaxBy(report => report.AgentSequence)!).ToList();
        var known = (await session.LoadManyAsync<FleetMember>(context.CancellationToken, reports.Select(report => report.EndpointId).ToArray())).ToDictionary(member => member.Id);
        // Whose name and labels have not arrived yet joins with the next look at the whole fleet.
        await membership.Join([.. reports.Where(report => known.ContainsKey(report.EndpointId)).Select(report => Newer(known[report.EndpointId], report))], context.CancellationToken);
    }

    private static FleetMember Newer(FleetMember member, InventoryReported report)
    {
        if (member.InventorySequence >= report.AgentSequence) return member;
        member.BuildIds = [.. report.Binaries.Select(binary => binary.BuildId).Distinct()];
        if (report.Traits is { } traits) member.Traits = new Dictionary<string, string>(traits);
        return member;
    }
}

public sealed class JoinOnReportDefinition : ConsumerDefinition<JoinOnReport>
{
    private const int ReportsMax = 500;

    public JoinOnReportDefinition() => EndpointName = "rollouts-joiners";

    protected override void ConfigureConsumer(IReceiveEndpointConfigurator endpointConfigurator, IConsumerConfigurator<JoinOnReport> consumerConfigurator, IRegistrationContext context)
    {
        endpointConfigurator.PrefetchCount = ReportsMax;
        consumerConfigurator.Options<BatchOptions>(batch => batch.SetMessageLimit(ReportsMax).SetTimeLimit(TimeSpan.FromMilliseconds(500)).SetConcurrencyLimit(1));
    }
}

public sealed class LeaveWithEndpoint(Membership membership) : IConsumer<EndpointDecommissioned>
{
    public Task Consume(ConsumeContext<EndpointDecommissioned> context) =>
        membership.Leave(context.Message.EndpointId, $"Taken out of the fleet by {context.Message.By}: {context.Message.Reason}", context.CancellationToken);
}

public sealed class LeaveWithEndpointDefinition : ConsumerDefinition<LeaveWithEndpoint>
{
    public LeaveWithEndpointDefinition() => EndpointName = "rollouts-leavers";
}

/// <summary>
/// Looks at the whole fleet now and then: a lifted hold, an exclusion that ended or a new policy admits endpoints that report nothing new.
/// </summary>
public sealed partial class JoinByTheClock(IDocumentStore store, Membership membership, TimeProvider clock, ILogger<JoinByTheClock> log) : BackgroundService
{
    private static readonly TimeSpan Look = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Look, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await using var session = store.QuerySession();
                if (!await session.Query<RolloutView>().AnyAsync(view => view.IsAlive && view.Rollout.Terms.Dynamic, stoppingToken)) continue;
                await membership.Join([.. await session.Query<FleetMember>().ToListAsync(stoppingToken)], stoppingToken);
            }
            catch (Exception failure) when (failure is not OperationCanceledException)
            {
                // Database away, or a rollout too busy to be written to: the next look tries again.
                LookFailed(log, failure.Message);
            }
        }
    }

    [LoggerMessage(EventId = 30, Level = LogLevel.Warning, Message = "Could not look for late joiners, trying again in a minute: {Cause}")]
    private static partial void LookFailed(ILogger log, string cause);
}
