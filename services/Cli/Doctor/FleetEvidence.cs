using Hotpatch.Client;
using Hotpatch.Contracts.Api;

namespace Hotpatch.Cli.Doctor;

/// <summary>A rollout as it counts: its rings in numbers, its members one by one, and its verdicts computed again.</summary>
internal sealed record RolloutEvidence(RolloutDetails Rollout, IReadOnlyList<MemberDetails> Members, IReadOnlyList<VerdictCheck> Verdicts);

/// <summary>What the services say of each other's work.</summary>
internal sealed record FleetEvidence(IReadOnlyList<RolloutEvidence> Rollouts, IReadOnlyList<EndpointDetails> Endpoints, IReadOnlyList<LedgerEntry> Ledger)
{
    private const int PageEntries = 1000;
    private const int LooksMax = 4;
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(1);

    /// <summary>Looks again, a few times, while something does not agree: an outcome may still be on its way from one service to the other.</summary>
    public static async Task<FleetEvidence> Collect(HotpatchClient client, CancellationToken ct)
    {
        for (var look = 1; ; look++)
        {
            var evidence = await Once(client, ct);
            if (look == LooksMax || FleetChecks.Run(evidence).All(check => check.Findings.Count == 0)) return evidence;
            await Task.Delay(BetweenLooks, ct);
        }
    }

    private static async Task<FleetEvidence> Once(HotpatchClient client, CancellationToken ct)
    {
        var rollouts = new List<RolloutEvidence>();
        foreach (var rollout in await client.Rollouts(ct))
        {
            var id = rollout.Id.ToString();
            rollouts.Add(new RolloutEvidence(await client.Rollout(id, ct), await client.RolloutMembers(id, ct), await client.RolloutVerdicts(id, ct)));
        }
        var endpoints = await client.Endpoints(ct);
        var ledger = new List<LedgerEntry>();
        for (var after = 0L; ;)
        {
            var page = await client.Ledger(after, PageEntries, ct);
            ledger.AddRange(page.Where(entry => entry.Kind is "permits_issued" or "patch_applied"));
            if (page.Length < PageEntries) return new FleetEvidence(rollouts, endpoints, ledger);
            after = page[^1].Sequence;
        }
    }
}
