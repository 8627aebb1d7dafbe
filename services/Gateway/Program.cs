using Hotpatch.Gateway;
using Hotpatch.Hosting;

return await HotpatchService.RunAsync(args, new GatewayPart());
