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
///   Planned --start--> Started --> Applying --pass--> Baking --baked--> (next ring: Applying) ... --> Completed
///                                     |   \              |
///                                     |    `--fail-------+--> RollingBack --> RolledBack        (on-failure: rollback)
///                                     `--fail, inconclusive, asked--> Paused --resume--> where it stood
///                                                                       `--promote--> Started (next ring)
///   any of them --halt--> Halted
/// </code>
/// </summary>
public sealed class RolloutSaga : MassTransitStateMachine<RolloutSagaState>
{
    private readonly TimeProvider _clock;

    public RolloutSaga(TimeProvider clock)
    {
        _clock = clock;
        InstanceState(saga => saga.CurrentState);
        Correlate();

        During(Started,
            When(Start).MoveOn(this),
            When(Promote).MoveOn(this),
            When(Clock).MoveOn(this));
        During(Applying, Baking,
            When(Outcomes).Tally(this).MoveOn(this),
            When(Clock).MoveOn(this),
            When(Resume).MoveOn(this));
        During(Paused,
            When(Outcomes).Tally(this));        // what had begun ends and is counted; nothing is judged
        During(RollingBack,
            When(Outcomes).Tally(this).MoveOn(this),
            When(RollBack).MoveOn(this),
            When(Clock).MoveOn(this));
        During(RolledBack, Completed, Halted,
            When(Outcomes).Tally(this));        // late outcomes are facts too

        // The same news twice, or news that a newer decision has overtaken.
        During(Planned, Ignore(Start), Ignore(Promote), Ignore(Resume), Ignore(RollBack), Ignore(Outcomes), Ignore(Clock));
        During(Started, Ignore(Outcomes), Ignore(Resume), Ignore(RollBack));
        During(Applying, Baking, Ignore(Start), Ignore(Promote), Ignore(RollBack));
        During(Paused, RolledBack, Completed, Halted, Ignore(Start), Ignore(Promote), Ignore(Resume), Ignore(RollBack), Ignore(Clock));
        During(RollingBack, Ignore(Start), Ignore(Promote), Ignore(Resume));
    }

    public State Planned { get; } = null!;
    public State Started { get; } = null!;
    public State Applying { get; } = null!;
    public State Baking { get; } = null!;
    public State Paused { get; } = null!;
    public State RollingBack { get; } = null!;
    public State RolledBack { get; } = null!;
    public State Completed { get; } = null!;
    public State Halted { get; } = null!;

    public Event<RolloutStarted> Start { get; } = null!;
    public Event<RolloutResumed> Resume { get; } = null!;
    public Event<RingPromoted> Promote { get; } = null!;
    public Event<RollbackOrdered> RollBack { get; } = null!;
    public Event<OutcomesRecorded> Outcomes { get; } = null!;
    public Event<TimeReached> Clock { get; } = null!;

    internal DateTimeOffset Now => _clock.GetUtcNow();

    private void Correlate()
    {
        Event(() => Start, by => by.CorrelateById(context => context.Message.RolloutId));
        Event(() => Resume, by => by.CorrelateById(context => context.Message.RolloutId));
        Event(() => Promote, by => by.CorrelateById(context => context.Message.RolloutId));
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
            foreach (var tallied in NextStep.Tally(context.Saga.Rollout, context.Message, machine.Now)) context.Saga.Raise(tallied);
        });

    /// <summary>Records what is due, until nothing more is. The fold names the state, so state and stream cannot disagree.</summary>
    public static EventActivityBinder<RolloutSagaState, T> MoveOn<T>(
        this EventActivityBinder<RolloutSagaState, T> binder, RolloutSaga machine) where T : class => binder.Then(context =>
        {
            foreach (var step in NextStep.Decide(context.Saga.Rollout, machine.Now)) context.Saga.Raise(step);
        });
}
