using Hotpatch.Compliance;
using Hotpatch.Contracts.Api;
using Xunit;
using static Hotpatch.Tests.Unit.Compliance.FleetScenario;

namespace Hotpatch.Tests.Unit.Compliance;

/// <summary>Entries as they were written before there were permits, policy and plan terms: none has the newer members, some have members nobody reads any more.</summary>
public sealed class FoldingAnOlderLedger
{
    private static readonly Guid Rollout = Id(2000), Patch = Id(1000);

    private static readonly (string Kind, string Json)[] Entries =
    [
        ("patch_published", $$"""{"patchId":"{{Patch}}","name":"fix","level":1,"digest":"sha256:1","severity":"high","advisories":["CVE-2026-1"],"summary":"","targets":[{"buildId":"00aa","module":"web","functions":["f"]}],"packageBytes":1,"keyId":"k","by":"anna","at":"2026-11-20T10:00:00Z"}"""),
        ("endpoint_enrolled", $$"""{"endpointId":"{{Id(1)}}","name":"web-1","labels":{"tier":"canary"},"agentVersion":"0.9","at":"2026-11-20T10:00:00Z"}"""),
        ("endpoint_enrolled", $$"""{"endpointId":"{{Id(2)}}","name":"web-2","labels":{},"agentVersion":"0.9","at":"2026-11-20T10:00:00Z"}"""),
        ("inventory_reported", $$"""{"endpointId":"{{Id(1)}}","agentSequence":1,"binaries":[{"buildId":"00aa","module":"web","processes":1}],"agentVersion":"0.9","kernel":"6.1","at":"2026-11-20T10:00:01Z"}"""),
        ("inventory_reported", $$"""{"endpointId":"{{Id(2)}}","agentSequence":1,"binaries":[{"buildId":"00aa","module":"web","processes":1}],"agentVersion":"0.9","kernel":"6.1","at":"2026-11-20T10:00:01Z"}"""),
        ("rollout_planned", $$"""{"rolloutId":"{{Rollout}}","name":"r1","patchId":"{{Patch}}","patchName":"fix","digest":"sha256:1","rings":[{"name":"canary","endpoints":["{{Id(1)}}"]},{"name":"rest","endpoints":["{{Id(2)}}"]}],"gate":{"failureBudget":0,"successPercent":100,"deadlineSeconds":60},"bakeSeconds":5,"onFailure":"pause","seed":"s","membershipDigest":"d","target":"","by":"anna","at":"2026-11-20T10:00:02Z"}"""),
        ("rollout_started", $$"""{"rolloutId":"{{Rollout}}","by":"anna","at":"2026-11-20T10:00:03Z"}"""),
        ("ring_opened", $$"""{"rolloutId":"{{Rollout}}","ring":0,"ringName":"canary","patchId":"{{Patch}}","patchName":"fix","digest":"sha256:1","endpoints":["{{Id(1)}}"],"epoch":1,"at":"2026-11-20T10:00:03Z"}"""),
        ("patch_offered", $$"""{"endpointId":"{{Id(1)}}","orderId":"{{Id(7)}}","rolloutId":"{{Rollout}}","ring":0,"patchId":"{{Patch}}","patchName":"fix","digest":"sha256:1","epoch":1,"at":"2026-11-20T10:00:03Z"}"""),
        ("patch_applied", $$"""{"endpointId":"{{Id(1)}}","agentSequence":2,"orderId":"{{Id(7)}}","rolloutId":"{{Rollout}}","patchId":"{{Patch}}","digest":"sha256:1","process":{"pid":10,"startTicks":5,"executable":"/usr/bin/web"},"buildId":"00aa","sites":1,"threads":1,"stopMicroseconds":90,"attempts":1,"recovered":false,"at":"2026-11-20T10:00:04Z"}"""),
        ("order_completed", $$"""{"endpointId":"{{Id(1)}}","agentSequence":3,"orderId":"{{Id(7)}}","kind":"apply","rolloutId":"{{Rollout}}","patchId":"{{Patch}}","digest":"sha256:1","result":"healthy","processes":1,"longestStopMicroseconds":90,"at":"2026-11-20T10:00:05Z"}"""),
        ("outcomes_tallied", $$"""{"rolloutId":"{{Rollout}}","ring":0,"outcomes":[{"endpointId":"{{Id(1)}}","result":"healthy","agentSequence":3}],"at":"2026-11-20T10:00:05Z"}"""),
        ("gate_evaluated", $$"""{"rolloutId":"{{Rollout}}","ring":0,"inputs":{"size":1,"healthy":1,"failed":0,"notApplicable":0,"open":0,"baked":false,"deadlinePassed":false},"gate":{"failureBudget":0,"successPercent":100,"deadlineSeconds":60},"verdict":"pass","reason":"1 of 1 healthy.","at":"2026-11-20T10:00:05Z"}"""),
        ("rollout_paused", $$"""{"rolloutId":"{{Rollout}}","cause":"asked","reason":"lunch","by":"anna","epoch":2,"at":"2026-11-20T10:00:06Z"}"""),
        ("a_kind_of_a_later_version", """{"whatever":1}"""),
    ];

    [Fact]
    public void Gives_the_postures_it_always_gave()
    {
        var fleet = Folded();

        var postures = GetCompliance.Coverage(fleet, fleet.Patches[Patch], Noon).Postures;

        Assert.Equal(["web-1 compliant patched", "web-2 nonCompliant paused.asked"], postures.Select(posture => $"{posture.Endpoint} {posture.Posture} {posture.ReasonCode}"));
        Assert.Contains("lunch", postures[1].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Takes_in_every_entry_of_a_kind_nobody_knows_yet_as_evidence_only()
    {
        var fleet = Folded();

        Assert.Equal(new AsOf(Entries.Length, Noon), fleet.AsOf);
        Assert.Equal("paused", fleet.Rollouts[Rollout].Phase);
    }

    private static FleetState Folded()
    {
        var fleet = new FleetState();
        foreach (var (index, (kind, json)) in Entries.Index()) fleet.Fold(new LedgerRecord { Id = index + 1, Kind = kind, Json = json, At = Noon });
        return fleet;
    }
}
