using Hotpatch.Contracts;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Patcher;

namespace Hotpatch.Agent;

/// <summary>
/// Brings the endpoint to its desired state, again and again: orders in force against the processes that run now. Works by what it has on
/// disk, so what has begun, and what ended well, goes on while the Gateway is away. No part of a pass waits for a probe's schedule.
/// </summary>
internal sealed class Reconcile
{
    private readonly Endpoint _endpoint;
    private readonly PatcherRunner _patcher;
    private readonly PatchWork _work;
    private readonly HealthWatch _watch;
    private readonly ApplyOrders _apply;
    private readonly RollBackOrders _rollBack;
    private readonly UpdateOrders _update;
    private readonly ProcessExits _exits;
    private readonly Retirement _retirement;
    private readonly string _root;
    private DateTimeOffset _lastLook = DateTimeOffset.MinValue;

    /// <param name="root">Where the machine's own files are; <c>/</c> but in tests.</param>
    public Reconcile(Endpoint endpoint, PatcherRunner patcher, PackageStore packages, string root = "/")
    {
        var updater = new PackageUpdater(endpoint.Options);
        (_endpoint, _patcher, _root) = (endpoint, patcher, root);
        _work = new PatchWork(endpoint, patcher, packages);
        _watch = new HealthWatch(endpoint, packages);
        _apply = new ApplyOrders(endpoint, packages, _work, _watch);
        _rollBack = new RollBackOrders(endpoint, patcher, _work);
        _update = new UpdateOrders(endpoint, packages, updater);
        _exits = new ProcessExits(endpoint);
        _retirement = new Retirement(endpoint, packages, updater.Dpkg);
    }

    /// <summary>How long until a probe is due; null when none is.</summary>
    public TimeSpan? NextDue => _watch.NextDue;

    /// <summary>Ends when no package update is under way.</summary>
    public Task Idle => _update.Idle;

    public async Task Once(CancellationToken ct)
    {
        var look = _endpoint.Clock.GetUtcNow();
        var processes = await _patcher.Scan(ct);
        await _work.SettleIntents(processes, ct);
        ReportInventory(processes);
        _exits.Report(processes);
        var orders = _endpoint.Orders.Current;
        _endpoint.Permits.CloseOthers(orders.Select(order => order.OrderId));
        foreach (var order in orders) await Begin(order, processes, ct);
        if (_watch.NeedsFreshScan(look))
        {
            processes = await _patcher.Scan(ct);
            _exits.Report(processes);
        }
        await _watch.Look(processes, ct);
        foreach (var order in orders.Where(order => order.Kind != OrderKind.RollBack && _endpoint.Orders.Has(order.OrderId)))
        {
            if (order.Kind == OrderKind.Apply) await _apply.Conclude(order, processes, ct);
            await _retirement.Look(order, processes, ct);
        }
        _lastLook = look;
    }

    private async Task Begin(StandingOrder order, IReadOnlyList<ScannedProcess> processes, CancellationToken ct)
    {
        var isOpen = _endpoint.Now.Of(order.OrderId).Result is null;
        if (isOpen && !order.Ended && _endpoint.Permits.AreImpossible)
        {
            _endpoint.Reject(order, "permit.no_key", "No key is known that could sign a permit, and the gateway names none: nothing may begin. Give the gateway a permit key.");
            return;
        }
        if (order.Kind == OrderKind.Apply) await _apply.Begin(order, processes, _lastLook, ct);
        else if (order.Kind == OrderKind.RollBack) await _rollBack.Carry(order, processes, ct);
        else await _update.Carry(order, ct);
    }

    private void ReportInventory(IReadOnlyList<ScannedProcess> processes)
    {
        var binaries = processes.SelectMany(process => process.Binaries.DistinctBy(binary => binary.BuildId))
            .GroupBy(binary => binary.BuildId).Select(same => new RunningBinary(same.Key, same.First().Module, same.Count())).OrderBy(binary => binary.BuildId, StringComparer.Ordinal).ToList();
        var traits = MachineTraits.Read(_root);
        if (_endpoint.Now.Inventory is { } last && last.Binaries.SequenceEqual(binaries) && MachineTraits.AreSame(last.Traits, traits)) return;
        _endpoint.Journal.Record(sequence => new InventoryReported(_endpoint.Id, sequence, binaries, AgentProcess.Version, Environment.OSVersion.VersionString, _endpoint.Clock.GetUtcNow()) { Traits = traits }, null);
    }
}
