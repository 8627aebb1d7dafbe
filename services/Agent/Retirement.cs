using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Patcher;

namespace Hotpatch.Agent;

/// <summary>A patch has done its work when the processes that had it are gone, nothing runs its old binaries, and the fixed package is on disk.</summary>
internal sealed class Retirement(Endpoint endpoint, PackageStore packages, Dpkg dpkg)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(60);

    private readonly Dictionary<string, long> _looked = [];

    /// <param name="order">An apply, or the update that took its place.</param>
    public async Task Look(StandingOrder order, IReadOnlyList<ScannedProcess> processes, CancellationToken ct)
    {
        var holdings = endpoint.Now;
        if (!holdings.Outlived.Contains(order.Digest) || holdings.Held.Values.Any(held => held.Digest == order.Digest)) return;
        if (_looked.TryGetValue(order.Digest, out var looked) && endpoint.Clock.GetElapsedTime(looked) < LookEvery) return;
        if (await packages.Get(order.Digest, ct) is not { Manifest.Fallback: { } fallback } package || ApplyOrders.Targets(processes, package).Count > 0) return;
        _looked[order.Digest] = endpoint.Clock.GetTimestamp();
        if (await dpkg.Find(fallback.Package, ct) is not { IsWhole: true } installed || !await Dpkg.IsAtLeast(installed.Version, fallback.Version, ct)) return;
        var reason = $"{fallback.Package} {installed.Version} is installed, which has the fix, and no process runs an older one";
        endpoint.Journal.Record(sequence => new PatchRetired(endpoint.Id, sequence, order.PatchId, order.Digest, reason, endpoint.Clock.GetUtcNow()), order.TraceParent);
        Log.Info($"patch {order.PatchName} is retired: {reason}");
    }
}
