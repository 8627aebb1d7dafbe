using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Rollouts;
using Hotpatch.Hosting;
using Hotpatch.Rollouts.Policies;

namespace Hotpatch.Rollouts.Planning;

/// <summary>What a plan is called and whose it is: the only parts of it that its digest leaves aside.</summary>
public sealed record PlanIdentity(Guid Id, string Name, string Seed, string By, DateTimeOffset At);

/// <param name="Plan">Null when there are problems.</param>
/// <param name="Notes">What was left aside, a sentence each.</param>
public sealed record PlanDraft(RolloutPlanned? Plan, IReadOnlyList<Refusal> Problems, IReadOnlyList<string> Notes);

/// <summary>From a request and what is known of patch, fleet and policy to the whole plan, or to everything that stands against it. Pure.</summary>
public static class Planner
{
    public static PlanDraft Make(PlanRolloutRequest request, PlanGround ground, PlanIdentity identity)
    {
        List<Refusal> problems = [.. OfPatch(request, ground.Patch), .. PlanChecks.Find(request), .. UnknownExclusions(request, ground)];
        if (problems.Count > 0 || ground.Patch is not { } patch) return new PlanDraft(null, problems, []);

        var exclusions = (request.Exclusions ?? []).Where(exclusion => !Targeting.Expired(exclusion, identity.At)).ToList();
        var (members, leftOut, notRunning) = new Targeting(request.Target, patch, exclusions, ground.InForce).Choose(ground.Fleet);
        if (members.Count == 0 && !request.AllowEmpty) return new PlanDraft(null, [NoTargets(request, patch, leftOut, notRunning)], []);

        var (filled, tooFew) = members.Count == 0 ? ([], []) : RingPlanner.Plan(request.Rings!, members, identity.Seed, request.Stratify);
        var gate = GateChecks.Merge(GateChecks.Usual, request.Gate);
        gate = gate with { FailureBudget = request.FailureBudget ?? gate.FailureBudget, SuccessPercent = request.SuccessPercent ?? gate.SuccessPercent, DeadlineSeconds = request.DeadlineSeconds ?? gate.DeadlineSeconds };
        var rings = filled.Select(ring => Complete(ring, request.Rings!.Single(asked => asked.Name == ring.Name), gate)).ToList();
        var bake = request.BakeSeconds ?? 60;
        var rules = ground.InForce.Rules;
        var terms = Terms(request, patch, gate, exclusions);
        problems = [.. tooFew, .. GateChecks.Unreachable(rings, gate), .. PlanLimits.Violations(rules, ground.InForce.Version, terms, rings, bake)];
        if (problems.Count > 0) return new PlanDraft(null, problems, []);

        var plan = new RolloutPlanned(
            identity.Id, identity.Name, patch.Id, patch.Name, patch.Digest, rings, gate, bake, request.OnFailure ?? OnFailure.RollBack, identity.Seed,
            RingPlanner.MembershipDigest(identity.Seed, rings), request.Target ?? "", identity.By, identity.At)
        {
            Terms = PlanLimits.Apply(terms, rules, ground.InForce.Version),
            LeftOut = leftOut,
            NotRunning = notRunning,
        };
        return new PlanDraft(plan with { PlanDigest = PlanDigest.Of(plan) }, [], [.. Notes(request, plan, terms, identity.At)]);
    }

    private static IEnumerable<Refusal> OfPatch(PlanRolloutRequest request, KnownPatch? patch)
    {
        if (string.IsNullOrWhiteSpace(request.Patch)) yield return PlanChecks.Rule("rollout.patch_required", "Say which patch: its name, id or digest.");
        else if (patch is null) yield return PlanChecks.Rule("rollout.patch_unknown", $"No published patch is called '{request.Patch}'. 'hotpatch patch list' shows what is there; a patch just published takes a second to arrive.");
        else if (patch.Revoked) yield return PlanChecks.Rule("patch.revoked", $"Patch {patch.Name} was revoked; plan a rollout of its successor.");
        else if (patch.Blocked) yield return PlanChecks.Rule("patch.blocked", $"Patch {patch.Name} is blocked{(patch.BlockedBecause is { } why ? $" ({why})" : "")}; unblock it first, with 'hotpatch patch unblock {patch.Name} --reason ...'.");
        else if (request.Fallback && patch.Fallback is null) yield return PlanChecks.Rule("rollout.fallback", $"Patch {patch.Name} names no ordinary package update to fall back to; plan without fallback.");
    }

    // A name nobody has is a typing error, and an exclusion that excludes nobody the most dangerous one.
    private static IEnumerable<Refusal> UnknownExclusions(PlanRolloutRequest request, PlanGround ground) =>
        from exclusion in (IEnumerable<Exclusion?>)(request.Exclusions ?? [])
        where ground.Patch is not null && exclusion?.Endpoint is { Length: > 0 } && exclusion.Expression is null && !ground.Fleet.Any(member => Targeting.Names(exclusion, member))
        select PlanChecks.Rule("rollout.exclusions", $"No endpoint is called '{exclusion.Endpoint}'. 'hotpatch endpoint list' shows their names; an expression such as zone=a excludes many.");

    private static Refusal NoTargets(PlanRolloutRequest request, KnownPatch patch, List<LeftOut> leftOut, int notRunning) => PlanChecks.Rule("rollout.no_targets", (leftOut.Count, notRunning) switch
    {
        (0, 0) => $"No endpoint matches the target '{request.Target}'. 'hotpatch endpoint list' shows the labels.",
        (0, _) => $"None of {notRunning} endpoints runs a binary of patch {patch.Name} (build-id {string.Join(", ", patch.BuildIds)}). It was built for another build: build it against the binary that runs.",
        _ => $"All {leftOut.Count} endpoints that run a binary of patch {patch.Name} are left out, the first because: {leftOut[0].Reasons[0]}",
    });

    private static PlannedRing Complete(PlannedRing ring, RingRequest asked, Gate gate) => ring with
    {
        Gate = asked.Gate is null ? null : GateChecks.Merge(gate, asked.Gate),
        BakeSeconds = asked.BakeSeconds,
        PauseAfter = asked.PauseAfter,
    };

    private static PlanTerms Terms(PlanRolloutRequest request, KnownPatch patch, Gate gate, List<Exclusion> exclusions) => new()
    {
        Limits = request.Limits,
        Orders = request.ProbeSeconds is null && !request.RollBackOnRegression ? null : new OrderTerms(request.ProbeSeconds, request.RollBackOnRegression),
        Approval = request.Approval,
        Windows = request.Windows,
        Dynamic = request.Dynamic,
        Shadow = request.Shadow is null ? null : GateChecks.Merge(gate, request.Shadow),
        Priority = request.Priority ?? 0,
        Fallback = request.Fallback,
        FallbackUpdate = request.Fallback ? patch.Fallback : null,
        Stratify = request.Stratify,
        Exclusions = exclusions.Count == 0 ? null : exclusions,
    };

    private static IEnumerable<string> Notes(PlanRolloutRequest request, RolloutPlanned plan, PlanTerms asked, DateTimeOffset now)
    {
        foreach (var expired in (request.Exclusions ?? []).Where(exclusion => Targeting.Expired(exclusion, now)))
            yield return $"The exclusion of '{expired.Endpoint ?? expired.Expression}' ended {expired.Until!.Value.UtcDateTime:yyyy-MM-dd HH:mm'Z'} and is left aside.";
        foreach (var empty in request.Rings!.Where(ring => plan.Rings.All(filled => filled.Name != ring.Name)))
            yield return $"Ring {empty.Name} has no members and is left out.";
        if (plan.Rings.Count == 0) yield return "Nobody is in the plan: the rollout completes when it starts.";
        if (plan.Terms!.Limits != asked.Limits) yield return $"Policy version {plan.Terms.PolicyVersion} sets stricter limits than the plan; they hold.";
        if (plan.Terms.Approval != asked.Approval) yield return $"Policy version {plan.Terms.PolicyVersion} asks for approval by {plan.Terms.Approval!.Needed}.";
        if (plan.Terms.Windows?.Count > (asked.Windows?.Count ?? 0)) yield return $"Policy version {plan.Terms.PolicyVersion} adds its windows to the plan's.";
    }
}
