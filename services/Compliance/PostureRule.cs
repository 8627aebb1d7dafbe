using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Compliance;

/// <summary>Something that is true of an endpoint and a patch.</summary>
/// <param name="Owner">In the place of the table's.</param>
/// <param name="Late">Overtaken by a newer rollout: it never is the primary reason while anything else holds.</param>
internal sealed record Finding(string Code, string Text, string? Rollout = null, string? Owner = null, bool Late = false);

/// <summary>
/// Whether an endpoint is protected by a patch, and if not, the one primary reason and who has to act. Pure: gathers everything that is true,
/// and <see cref="Reasons"/> says what of it weighs most.
/// </summary>
public static class PostureRule
{
    /// <param name="at">The instant the answer is for: waivers end, and endpoints become silent, with time alone.</param>
    public static EndpointPosture Judge(FleetState fleet, KnownEndpoint endpoint, KnownPatch patch, DateTimeOffset at)
    {
        var standing = fleet.Standings.GetValueOrDefault((endpoint.Id, patch.Published.PatchId));
        var found = Findings(fleet, endpoint, patch, standing, at).OrderBy(finding => finding.Late).ThenBy(finding => Reasons.RankOf(finding.Code)).ToList();
        var primary = found[0];
        var reason = Reasons.All[Reasons.RankOf(primary.Code)];
        var settled = reason.Posture is Postures.Compliant or Postures.NotApplicable or Postures.Decommissioned;
        return new EndpointPosture(
            endpoint.Id, endpoint.Name, patch.Published.PatchId, patch.Published.Name, reason.Posture, primary.Code, primary.Text, primary.Owner ?? reason.Owner, standing?.Since, standing?.Chain ?? [])
        {
            Level = patch.Published.Level,
            Next = settled ? null : reason.Next,
            Command = settled ? null : Fill(reason.Command, endpoint, patch, primary),
            Others = settled ? [] : [.. found.Skip(1).DistinctBy(other => other.Code).Where(other => other.Code != primary.Code).Select(other => new OtherReason(other.Code, other.Text, other.Owner ?? Reasons.All[Reasons.RankOf(other.Code)].Owner))],
        };
    }

    private static IEnumerable<Finding> Findings(FleetState fleet, KnownEndpoint endpoint, KnownPatch patch, Standing? standing, DateTimeOffset at)
    {
        if (endpoint.Decommissioned is { } gone) yield return new("decommissioned", $"{gone.By} took it out of the fleet on {Day(gone.At)}: {gone.Reason}");
        if (endpoint.Running is null) yield return new("no_inventory", "The endpoint enrolled and has not reported what it runs.");
        else if (fleet.Policy.SilentAfterSeconds is { } limit && at - endpoint.HeardAt > TimeSpan.FromSeconds(limit))
            yield return new("silent", $"Nothing was heard of it since {Minute(endpoint.HeardAt)}; after {Span(TimeSpan.FromSeconds(limit))} the policy believes nothing it said before.");
        if (endpoint.Running is not { } running) yield break;

        var processes = patch.Published.Targets.Sum(target => running.GetValueOrDefault(target.BuildId));
        var memory = InMemory(fleet, endpoint, patch, standing, processes).ToList();
        foreach (var finding in memory) yield return finding;
        if (memory.Exists(finding => Reasons.All[Reasons.RankOf(finding.Code)].Posture is Postures.Compliant or Postures.NotApplicable)) yield break;

        foreach (var finding in Forbidden(fleet, endpoint, patch, at)) yield return finding;
        var rollout = Current(fleet, endpoint, patch);
        foreach (var finding in Outcomes.Of(fleet, standing, processes))
            yield return finding with { Late = rollout is { HasEnded: false } newer && newer.Id != standing!.LatestRollout && newer.RingOf(endpoint.Id) >= 0 };
        foreach (var finding in Waiting.Of(fleet, rollout, endpoint, patch, standing, at)) yield return finding;
    }

    // What runs decides, not what was ordered.
    private static IEnumerable<Finding> InMemory(FleetState fleet, KnownEndpoint endpoint, KnownPatch patch, Standing? standing, int processes)
    {
        var patched = standing?.Processes.Count ?? 0;
        if (standing is { LatestOrder: OrderKind.RollBack, Result: OrderResult.RollbackFaulted } && patched > 0)
            yield return new("rollback_faulted", $"Taking the patch out failed: {standing.ResultReason}", NameOf(fleet, standing));
        else if (standing is { LatestOrder: OrderKind.RollBack } && patched > 0 && standing.Result != OrderResult.RolledBack)
            yield return new("rollback_open", $"A rollback was ordered {Since(standing.OrderedAt)}and has not ended: {standing.ResultReason ?? "the endpoint has not reported yet"}.", NameOf(fleet, standing));
        else if (patched > 0 && patched >= processes)
            yield return new("patched", patched == 1 ? "Its process runs the patched code." : $"All {patched} of its processes run the patched code.");
        else if (SupersededBy(fleet, endpoint, patch) is { } successor)
            yield return new("superseded", $"Level {successor} of the same patch is in all its processes.");
        else if (standing?.UpdatedAt is { } updated && (processes == 0 || endpoint.RunningAt <= updated))
            yield return new("updated", $"The ordinary update {standing.Package ?? "of its package"} is in and runs since {Minute(updated)}.");
        else if (standing?.UpdatedAt is not null)
            yield return new("old_code_running", $"The ordinary update {standing.Package ?? "of its package"} is on disk, and {Count(processes, "process runs", "processes run")} the old build.");
        else if (processes == 0 && patched == 0)
            yield return new("not_running", "No process runs a binary of this patch.");
    }

    private static IEnumerable<Finding> Forbidden(FleetState fleet, KnownEndpoint endpoint, KnownPatch patch, DateTimeOffset at)
    {
        if (patch.RevokedAt is { } revoked) yield return new("revoked", $"The patch was revoked on {Day(revoked)}; its successor is to be rolled out.");
        if (patch.Block is { } block) yield return new("patch_blocked", $"{block.By} blocked the patch on {Day(block.At)}: {block.Reason}");
        foreach (var hold in fleet.Policy.HoldsOf(endpoint, patch.Published.Name)) yield return new($"hold.{hold.Name}", $"{hold.By} holds such endpoints since {Day(hold.At)}: {hold.Reason}");
        if (fleet.Policy.WaiverOf(endpoint, patch.Published.Name, at) is { } waiver)
            yield return new("waived", $"Not protected, and {waiver.By} waived it ({waiver.Name}) until {Minute(waiver.ExpiresAt)}: {waiver.Reason}");
    }

    /// <summary>The rollout that is to bring, or was the last to bring, the patch there.</summary>
    private static KnownRollout? Current(FleetState fleet, KnownEndpoint endpoint, KnownPatch patch) => fleet.RolloutsOf(patch.Published.PatchId)
        .Where(rollout => rollout.Mentions(endpoint.Id))
        .OrderByDescending(rollout => !rollout.HasEnded).ThenByDescending(rollout => rollout.PlannedAt).ThenByDescending(rollout => rollout.Id).FirstOrDefault();

    /// <summary>For <c>why</c>: the life of the rollout belongs to the chain of events.</summary>
    internal static IReadOnlyList<string> ChainOf(FleetState fleet, KnownEndpoint endpoint, KnownPatch patch, EndpointPosture posture) =>
        [.. posture.Chain.Concat(Current(fleet, endpoint, patch)?.Steps ?? []).Order(StringComparer.Ordinal)];

    private static int? SupersededBy(FleetState fleet, KnownEndpoint endpoint, KnownPatch patch)
    {
        foreach (var other in fleet.Patches.Values.Where(other => other.Published.Name == patch.Published.Name && other.Published.Level > patch.Published.Level && other.RevokedAt is null))
        {
            var processes = other.Published.Targets.Sum(target => endpoint.Running!.GetValueOrDefault(target.BuildId));
            if (fleet.Standings.GetValueOrDefault((endpoint.Id, other.Published.PatchId)) is { } standing && standing.Processes.Count > 0 && standing.Processes.Count >= processes) return other.Published.Level;
        }
        return null;
    }

    private static string? Fill(string? command, KnownEndpoint endpoint, KnownPatch patch, Finding primary) => command is null || primary.Rollout is null && command.Contains("{rollout}", StringComparison.Ordinal)
        ? null
        : command.Replace("{endpoint}", endpoint.Name, StringComparison.Ordinal).Replace("{patch}", $"{patch.Published.Name}@{patch.Published.Level}", StringComparison.Ordinal).Replace("{rollout}", primary.Rollout, StringComparison.Ordinal);

    internal static string? NameOf(FleetState fleet, Standing standing) => fleet.Rollouts.GetValueOrDefault(standing.LatestRollout)?.Name;

    internal static string Day(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);

    internal static string Minute(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm'Z'", System.Globalization.CultureInfo.InvariantCulture);

    internal static string Count(int count, string one, string many) => count == 1 ? $"1 {one}" : $"{count} {many}";

    private static string Since(DateTimeOffset? at) => at is { } instant ? $"at {Minute(instant)} " : "";

    private static string Span(TimeSpan span) => span.TotalHours >= 1 ? $"{span.TotalHours:0.#} h" : $"{span.TotalSeconds:0} s";
}
