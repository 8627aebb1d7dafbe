using Hotpatch.Catalog;
using Hotpatch.Hosting;

return await HotpatchService.RunAsync(args, new CatalogPart());
