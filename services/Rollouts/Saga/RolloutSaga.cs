using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using MassTransit;

namespace Hotpatch.Rollouts.Saga;

/// <summary>The clock says that something of a rollout may be due. Repeats harmlessly: the state decides.</summary>
public sealed record TimeReached(Guid RolloutId);

/// <summary>A rollout as the state machine holds it: its state is the phase its stream folds to.</summary>
public sealed class RolloutSagaState : EventSourcedSaga
{
    public Rollout Rollout { get; } = new();

    public override void Fold(object fact)
    {
        Rollout.Fold(fact);
        CurrentState = Rollout.Phase.ToString();
    }
}

/// <summary>
/// The rollout's life. Commands of people are recorded by the slices beside this folder; the saga hears of them, of the endpoints'
/// outcomes and of the clock, asks <see cref="NextStep"/> and records the answer. It publishes nothing: announcing what was recorded
/// tells the Gateway.
/// <code>
///   Planned --schedule--> Scheduled --due, window open--> Started
///   Planned --start--> Started --> Applying --pass--> Baking --baked--> (next ring: Applying) ... --> Completed
///                                     |   \              |
///                                     |    `--fail-------+--> RollingBack --> RolledBack        (on-failure: rollback)
///                                     `--fail, inconclusive, asked, window, freeze, blocked--> Paused --last cause gone--> where it stood
///                                                                                                 `--promote--> Started (next ring)
///   any of them --halt--> Halted,  --a newer rollout--> Superseded;   Planned --deny--> Denied
/// </code>
/// News that a newer decision has overtaken, and the same news twice, find nothing due: the state decides, not the message.
/// </summary>
public sealed class RolloutSaga : MassTransitStateMachine<RolloutSagaState>
{
    private readonly TimeProvider _clock;

    public RolloutSaga(TimeProvider clock)
    {
        _clock = clock;
        InstanceState(saga => saga.CurrentState);
        Correlate();
        OnUnhandledEvent(context => context.Ignore());

        During(Scheduled,
            When(Clock).MoveOn(this));
        During(Started, Applying, Baking, Paused,
            When(Start).MoveOn(this),
            When(Outcomes).Tally(this).MoveOn(this),
            When(Resume).MoveOn(this),
            When(Promote).MoveOn(this),
            When(Retry).MoveOn(this),
            When(Amend).MoveOn(this),
            When(Expedite).MoveOn(this),
            When(Clock).MoveOn(this));
        During(RollingBack,
            When(Outcomes).Tally(this).MoveOn(this),
            When(RollBack).MoveOn(this),
            When(Clock).MoveOn(this));
        During(RolledBack, Completed, Halted, Superseded,
            When(Outcomes).Tally(this));        // late outcomes are facts too
    }

    public State Planned { get; } = null!;
    public State Scheduled { get; } = null!;
    public State Started { get; } = null!;
    public State Applying { get; } = null!;
    public State Baking { get; } = null!;
    public State Paused { get; } = null!;
    public State RollingBack { get; } = null!;
    public State RolledBack { get; } = null!;
    public State Completed { get; } = null!;
    public State Halted { get; } = null!;
    public State Denied { get; } = null!;
    public State Superseded { get; } = null!;

    public Event<RolloutStarted> Start { get; } = null!;
    public Event<RolloutResumed> Resume { get; } = null!;
    public Event<RingPromoted> Promote { get; } = null!;
    public Event<RetryOrdered> Retry { get; } = null!;
    public Event<GateAmended> Amend { get; } = null!;
    public Event<RolloutExpedited> Expedite { get; } = null!;
    public Event<RollbackOrdered> RollBack { get; } = null!;
    public Event<OutcomesRecorded> Outcomes { get; } = null!;
    public Event<TimeReached> Clock { get; } = null!;

    internal DateTimeOffset Now => _clock.GetUtcNow();

    private void Correlate()
    {
        Event(() => Start, by => by.CorrelateById(context => context.Message.RolloutId));
        Event(() => Resume, by => by.CorrelateById(context => context.Message.RolloutId));
        Event(() => Promote, by => by.CorrelateById(context => context.Message.RolloutId));
        Event(() => Retry, by => by.CorrelateById(context => context.Message.RolloutId));
        Event(() => Amend, by => by.CorrelateById(context => context.Message.RolloutId));
        Event(() => Expedite, by => by.CorrelateById(context => context.Message.RolloutId));
        Event(() => RollBack, by => by.CorrelateById(context => context.Message.RolloutId));
        Event(() => Outcomes, by =>
        {
            by.CorrelateById(context => context.Message.RolloutId);
            by.OnMissingInstance(missing => missing.Discard());     // an endpoint's order of a rollout this store never had
        });
        Event(() => Clock, by =>
        {
            by.CorrelateById(context => context.Message.RolloutId);
            by.OnMissingInstance(missing => missing.Discard());
        });
    }
}

file static class Verbs
{
    public static EventActivityBinder<RolloutSagaState, OutcomesRecorded> Tally(
        this EventActivityBinder<RolloutSagaState, OutcomesRecorded> binder, RolloutSaga machine) => binder.Then(context =>
        {
            var rollout = context.Saga.Rollout;
            foreach (var tallied in Judging.Tally(rollout, context.Message, machine.Now)) context.Saga.Raise(Judging.WithNumbers(rollout, tallied));
        });

    /// <summary>Records what is due, until nothing more is. The fold names the state, so state and stream cannot disagree.</summary>
    public static EventActivityBinder<RolloutSagaState, T> MoveOn<T>(
        this EventActivityBinder<RolloutSagaState, T> binder, RolloutSaga machine) where T : class => binder.ThenAsync(async context =>
        {
            var surroundings = context.GetPayload<IServiceProvider>().GetRequiredService<Surroundings>();
            // One instant for looking and deciding: what was looked up is what the decision needs.
            var now = machine.Now;
            var outside = await surroundings.Of(context.Saga.Rollout, now, context.CancellationToken);
            NextStep.All(context.Saga.Rollout, now, outside, context.Saga.Raise);
        });
}
