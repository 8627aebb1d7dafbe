using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Hotpatch.Rollouts.Metrics;
using Hotpatch.Rollouts.Planning;
using Hotpatch.Rollouts.Policies;
using Hotpatch.Rollouts.Simulation;
using Hotpatch.Rollouts.Saga;
using JasperFx.Events.Projections;
using Marten;
using MassTransit;

namespace Hotpatch.Rollouts;

/// <summary>Carries a patch through rings of endpoints, or back out.</summary>
public sealed class RolloutsPart : ServicePart
{
    public override string Name => "rollouts";
    public override Type? Announcer => typeof(Announcements);

    /// <summary>The facts a rollout's stream can hold.</summary>
    public static readonly Type[] Facts =
    [
        typeof(RolloutPlanned), typeof(PlanRefused), typeof(RolloutStarted), typeof(RingOpened), typeof(OutcomesTallied), typeof(GateEvaluated),
        typeof(BakeStarted), typeof(RingCompleted), typeof(RolloutPaused), typeof(RolloutResumed), typeof(RingPromoted), typeof(RollbackOrdered),
        typeof(RolloutRolledBack), typeof(RolloutCompleted), typeof(RolloutHalted), typeof(PlanAmended), typeof(ApprovalGranted), typeof(ApprovalDenied), typeof(RolloutScheduled),
        typeof(PauseReasonCleared), typeof(GateAmended), typeof(RolloutExpedited), typeof(RetryOrdered), typeof(MembersJoined), typeof(MembersLeft), typeof(RolloutSuperseded),
        typeof(FallbackOrdered),
    ];

    public override void ConfigureStore(StoreOptions options)
    {
        options.Projections.Add<RolloutViewProjection>(ProjectionLifecycle.Inline);
        options.Schema.For<RolloutView>().Duplicate(view => view.DueAt).Duplicate(view => view.IsAlive).Duplicate(view => view.Name).DocumentAlias("rollout_view");
        options.Schema.For<RolloutName>().Identity(name => name.Id);
        options.Schema.For<FleetMember>().DocumentAlias("fleet_member");
        options.Schema.For<KnownPatch>().DocumentAlias("known_patch");
        options.Schema.For<PolicyInForce>().DocumentAlias("policy_in_force");
        options.Schema.For<Waiver>().DocumentAlias("waiver");
        options.Schema.For<Hold>().DocumentAlias("hold");
        options.Schema.For<Freeze>().DocumentAlias("freeze");
        options.Schema.For<Lifted>().DocumentAlias("lifted");
    }

    public override void ConfigureServices(IServiceCollection services, IConfiguration configuration) =>
        services.AddPrometheusReader(configuration["Rollouts:Prometheus"]).AddHostedService<Timekeeper>().AddSingleton<Calendars>().AddScoped<Surroundings>().AddSingleton<Membership>().AddHostedService<JoinByTheClock>();

    public override void ConfigureBus(IBusRegistrationConfigurator bus)
    {
        bus.AddSagaStateMachine<RolloutSaga, RolloutSagaState, RolloutSagaDefinition>().StreamRepository();
        bus.AddConsumer<KeepFleet, KeepFleetDefinition>();
        bus.AddConsumer<KeepPatches, KeepPatchesDefinition>();
        bus.AddConsumer<KeepPolicy, KeepPolicyDefinition>();
        bus.AddConsumer<TakeOutBlocked, TakeOutBlockedDefinition>();
        bus.AddConsumer<JoinOnReport, JoinOnReportDefinition>();
        bus.AddConsumer<LeaveWithEndpoint, LeaveWithEndpointDefinition>();
    }

    public override void MapRoutes(IEndpointRouteBuilder routes)
    {
        PlanRollout.Map(routes);
        GetPlan.Map(routes);
        AmendPlan.Map(routes);
        SimulateRollout.Map(routes);
        StartRollout.Map(routes);
        PauseRollout.Map(routes);
        ResumeRollout.Map(routes);
        PromoteRing.Map(routes);
        RollBackRollout.Map(routes);
        HaltRollout.Map(routes);
        ApproveRollout.Map(routes);
        DenyRollout.Map(routes);
        RetryRollout.Map(routes);
        ExpediteRollout.Map(routes);
        AmendGate.Map(routes);
        CheckVerdicts.Map(routes);
        AskWhatIf.Map(routes);
        GetRollouts.Map(routes);
        WatchRollout.Map(routes);
    }
}
