using System.Collections.Frozen;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;

namespace Hotpatch.Contracts;

/// <summary>
/// The name under which each fact is stored, announced and kept as evidence. A name is never reused and never changes its shape:
/// a changed fact gets a new record
/// and a new name. It may gain optional members; old entries then read as null.
/// </summary>
public static class FactKinds
{
    public static readonly FrozenDictionary<string, Type> ByName = new Dictionary<string, Type>
    {
        ["patch_published"] = typeof(PatchPublished),
        ["package_refused"] = typeof(PackageRefused),
        ["patch_revoked"] = typeof(PatchRevoked),
        ["patch_blocked"] = typeof(PatchBlocked),
        ["patch_unblocked"] = typeof(PatchUnblocked),
        ["policy_published"] = typeof(PolicyPublished),
        ["waiver_granted"] = typeof(WaiverGranted),
        ["waiver_revoked"] = typeof(WaiverRevoked),
        ["hold_placed"] = typeof(HoldPlaced),
        ["hold_lifted"] = typeof(HoldLifted),
        ["freeze_declared"] = typeof(FreezeDeclared),
        ["freeze_lifted"] = typeof(FreezeLifted),

        ["rollout_planned"] = typeof(RolloutPlanned),
        ["plan_refused"] = typeof(PlanRefused),
        ["rollout_started"] = typeof(RolloutStarted),
        ["ring_opened"] = typeof(RingOpened),
        ["outcomes_tallied"] = typeof(OutcomesTallied),
        ["gate_evaluated"] = typeof(GateEvaluated),
        ["bake_started"] = typeof(BakeStarted),
        ["ring_completed"] = typeof(RingCompleted),
        ["rollout_paused"] = typeof(RolloutPaused),
        ["rollout_resumed"] = typeof(RolloutResumed),
        ["ring_promoted"] = typeof(RingPromoted),
        ["rollback_ordered"] = typeof(RollbackOrdered),
        ["rollout_rolled_back"] = typeof(RolloutRolledBack),
        ["rollout_completed"] = typeof(RolloutCompleted),
        ["rollout_halted"] = typeof(RolloutHalted),
        ["plan_amended"] = typeof(PlanAmended),
        ["approval_granted"] = typeof(ApprovalGranted),
        ["approval_denied"] = typeof(ApprovalDenied),
        ["rollout_scheduled"] = typeof(RolloutScheduled),
        ["pause_reason_cleared"] = typeof(PauseReasonCleared),
        ["gate_amended"] = typeof(GateAmended),
        ["rollout_expedited"] = typeof(RolloutExpedited),
        ["retry_ordered"] = typeof(RetryOrdered),
        ["members_joined"] = typeof(MembersJoined),
        ["members_left"] = typeof(MembersLeft),
        ["rollout_superseded"] = typeof(RolloutSuperseded),
        ["fallback_ordered"] = typeof(FallbackOrdered),

        ["endpoint_enrolled"] = typeof(EndpointEnrolled),
        ["inventory_reported"] = typeof(InventoryReported),
        ["patch_offered"] = typeof(PatchOffered),
        ["patch_withdrawn"] = typeof(PatchWithdrawn),
        ["patch_applied"] = typeof(PatchApplied),
        ["patch_rolled_back"] = typeof(PatchRolledBack),
        ["patch_refused"] = typeof(PatchRefused),
        ["patch_faulted"] = typeof(PatchFaulted),
        ["health_verified"] = typeof(HealthVerified),
        ["health_regressed"] = typeof(HealthRegressed),
        ["patched_process_exited"] = typeof(PatchedProcessExited),
        ["patch_drifted"] = typeof(PatchDrifted),
        ["newcomer_patched"] = typeof(NewcomerPatched),
        ["order_completed"] = typeof(OrderCompleted),
        ["endpoint_decommissioned"] = typeof(EndpointDecommissioned),
        ["order_cancelled"] = typeof(OrderCancelled),
        ["order_expired"] = typeof(OrderExpired),
        ["permits_issued"] = typeof(PermitsIssued),
        ["fallback_offered"] = typeof(FallbackOffered),
        ["package_updated"] = typeof(PackageUpdated),
        ["package_update_failed"] = typeof(PackageUpdateFailed),
        ["patch_retired"] = typeof(PatchRetired),
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<Type, string> ByType = ByName.ToFrozenDictionary(pair => pair.Value, pair => pair.Key);

    /// <summary>The stored name of a fact's type, such as <c>patch_applied</c>.</summary>
    public static string NameOf(Type type) => ByType[type];
}
