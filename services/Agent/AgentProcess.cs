using System.Reflection;
using System.Runtime.InteropServices;

namespace Hotpatch.Agent;

/// <summary>The agent from start to stop.</summary>
internal static class AgentProcess
{
    public static string Version { get; } = typeof(AgentProcess).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    // systemd's own patience with a service that stops (TimeoutStopSec) is 90 s.
    private static readonly TimeSpan UpdatePatience = TimeSpan.FromSeconds(80);

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
        PermitKeys keys;
        try
        {
            keys = new PermitKeys(options.State, options.Repin);
        }
        catch (UsageFault fault)
        {
            return AgentOptions.Usage(fault.Message);
        }
        var identity = EndpointIdentity.LoadOrMake(options.State);
        using var journal = new Journal(Path.Combine(options.State, "journal"));
        var orders = new StandingOrders(Path.Combine(options.State, "orders.json"));
        var clock = new BootTime();
        var permits = new Permits(identity.EndpointId, keys, new EpochFloors(options.State), orders, clock);
        using var link = new GatewayLink(options, identity, journal, orders, permits, keys);
        Log.Info($"agent {Version} of endpoint {options.Name} ({identity.EndpointId}), {journal.Last} facts in the journal");

        var linking = link.Run(stop.Token);
        try
        {
            await Work(new Endpoint(identity.EndpointId, journal, orders, permits, options, clock), link, stop.Token);
            await linking;
        }
        catch (OperationCanceledException)
        {
            // Asked to stop.
        }
        Log.Info("stopped");
        return 0;
    }

    private static async Task Work(Endpoint endpoint, GatewayLink link, CancellationToken ct)
    {
        var scan = TimeSpan.FromSeconds(endpoint.Options.ScanSeconds);
        var reconcile = new Reconcile(endpoint, new PatcherRunner(endpoint.Options), new PackageStore(endpoint.Options, link.Fetch));
        using var changed = new SemaphoreSlim(0, 1);
        void Wake()
        {
            lock (changed)
                if (changed.CurrentCount == 0) changed.Release();
        }

        endpoint.Orders.Changed += Wake;
        endpoint.Permits.Changed += Wake;
        endpoint.Woken += Wake;
        try
        {
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
                await changed.WaitAsync(reconcile.NextDue is { } due && due < scan ? due : scan, ct);
            }
        }
        finally
        {
            // apt in the middle of its work is left to end it, as long as whoever stops the agent has patience.
            await Task.WhenAny(reconcile.Idle, Task.Delay(UpdatePatience, CancellationToken.None));
        }
    }

    private static void Stop(PosixSignalContext context, CancellationTokenSource stop)
    {
        context.Cancel = true;
        stop.Cancel();
    }
}
