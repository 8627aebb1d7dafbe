using Hotpatch.Catalog;
using Hotpatch.Compliance;
using Hotpatch.Gateway;
using Hotpatch.Hosting;
using Hotpatch.Rollouts;

// All services in one process, where nobody wants a broker: Bus__Transport=memory.
return await HotpatchService.RunAsync(args, new CatalogPart(), new RolloutsPart(), new GatewayPart(), new CompliancePart());
