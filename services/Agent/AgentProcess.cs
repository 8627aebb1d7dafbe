using System.Reflection;
using System.Runtime.InteropServices;

namespace Hotpatch.Agent;

/// <summary>The agent from start to stop.</summary>
internal static class AgentProcess
{
    public static string Version { get; } = typeof(AgentProcess).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    public static async Task<int> Run(string[] arguments)
    {
        AgentOptions options;
        try
        {
            options = AgentOptions.Parse(arguments);
            options.Keep();
        }
        catch (UsageFault fault)
        {
            return AgentOptions.Usage(fault.Message);
        }
        catch (Exception disk) when (disk is IOException or UnauthorizedAccessException)
        {
            return AgentOptions.Usage(disk.Message);
        }

        using var stop = new CancellationTokenSource();
        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Stop(context, stop));
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Stop(context, stop));
        var identity = EndpointIdentity.LoadOrMake(options.State);
        using var journal = new Journal(Path.Combine(options.State, "journal"));
        var orders = new StandingOrders(Path.Combine(options.State, "orders.json"));
        using var link = new GatewayLink(options, identity, journal, orders);
        Log.Info($"agent {Version} of endpoint {options.Name} ({identity.EndpointId}), {journal.Last} facts in the journal");

        var linking = link.Run(stop.Token);
        try
        {
            await Work(options, identity, journal, orders, link, stop.Token);
            await linking;
        }
        catch (OperationCanceledException)
        {
            // Asked to stop.
        }
        Log.Info("stopped");
        return 0;
    }

    private static async Task Work(AgentOptions options, EndpointIdentity identity, Journal journal, StandingOrders orders, GatewayLink link, CancellationToken ct)
    {
        var clock = TimeProvider.System;
        var patcher = new PatcherRunner(options);
        var packages = new PackageStore(options, link.Fetch);
        var work = new PatchWork(identity.EndpointId, journal, patcher, packages, options, clock);
        var reconcile = new Reconcile(identity.EndpointId, journal, orders, patcher, packages, work, options, clock);
        using var changed = new SemaphoreSlim(0, 1);
        orders.Changed += () => { if (changed.CurrentCount == 0) changed.Release(); };
        while (!ct.IsCancellationRequested)
        {
            try
            {
                await reconcile.Once(ct);
            }
            catch (Exception failure) when (failure is PatcherFailed or IOException or Packaging.PackageFault)
            {
                Log.Error($"{failure.Message}; trying again");
            }
            await changed.WaitAsync(TimeSpan.FromSeconds(options.ScanSeconds), ct);
        }
    }

    private static void Stop(PosixSignalContext context, CancellationTokenSource stop)
    {
        context.Cancel = true;
        stop.Cancel();
    }
}
