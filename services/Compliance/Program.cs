using Hotpatch.Compliance;
using Hotpatch.Hosting;

return await HotpatchService.RunAsync(args, new CompliancePart());
