using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>The package's bytes as they were admitted, for the Gateway and for whoever wants to check them.</summary>
public static class DownloadPackage
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapGet("/patches/{reference}/package", async (
        string reference, HttpContext http, IQuerySession session, PackageStore packages, CancellationToken ct) =>
    {
        if (await FindPatches.Find(session, reference, ct) is not { } view) return Problems.NotFound("patch", reference);
        if (packages.Find(view.Digest) is not { } bytes)
            return Problems.From(new Refusal("patch.package_missing", "The package's file is gone from the catalogue's folder. Restore the folder, or publish the same file again.", StatusCodes.Status503ServiceUnavailable));
        http.Response.Headers.ETag = $"\"{view.Digest}\"";
        return Results.Bytes(bytes, "application/octet-stream", $"{view.Name}-{view.Level}.hpatch");
    });
}
