namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

/// <summary>A mistake planted at a seam of the simulation, to see that the invariants notice it. The product's own code stays as it is.</summary>
public enum Bug
{
    None,

    // The saga and its stream.
    CountsUnhealthyAsHealthy,
    CountsARepeatAgain,
    CountsOutcomesTwice,
    CountsAnEarlierAttempt,
    KeepsThoseWhoLeftInTheCount,
    ResumesWithoutJudging,
    OpensTheNextRingWithoutBaking,
    AppendsOverALostRace,
    SkipsAnnouncementsAfterACrash,
    LosesTimers,
    RollsBackOnlyWhoReported,
    ResumesAgainstAFreeze,
    TakesSilenceForConsent,
    AnnouncesNoLateJoiners,
    AnnouncesNoFallbacks,

    // The Gateway.
    PermitsThroughAClosedGate,
    PermitsOneTooMany,
    FreesSlotsBeforeThePermitIsOver,
    ForgetsBudgets,
    PermitsABlockedPatch,
    LetsAnOlderEpochOpen,
    KeepsTheGateOpenAfterAHalt,
    SendsNoFence,
    TriesAgainUnderTheSameOrder,
    NeverGivesUpSilentOrders,
    SkipsOutcomesAfterACrash,
    ForgetsWhoJoinsBeforeTheOpening,
    TellsATakenBackUpdateAsAHotPatch,

    // The agent.
    StopsThePermitsClockAsleep,
    ForgetsFences,
    AppliesAgainAfterACrash,
    NumbersItsJournalAnewAfterACrash,
    RecordsARollbackTwice,
}
