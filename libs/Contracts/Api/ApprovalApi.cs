namespace Hotpatch.Contracts.Api;

// POST /api/v1/rollouts/{ref}/approve|deny   <- ApprovalRequest   -> 200 RolloutDetails

/// <param name="PlanDigest">Digest of the plan that was read; refused as <c>approval.stale</c> when the plan is another by now. Null = the plan as it is.</param>
public sealed record ApprovalRequest(string? Reason, string? PlanDigest = null);
