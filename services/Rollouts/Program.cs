using Hotpatch.Hosting;
using Hotpatch.Rollouts;

return await HotpatchService.RunAsync(args, new RolloutsPart());
