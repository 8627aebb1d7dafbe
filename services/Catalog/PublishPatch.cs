using System.Security.Cryptography;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Hosting;
using Hotpatch.Packaging;
using JasperFx;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>
/// A signed package is offered. Records <see cref="PatchPublished"/>, or <see cref="PackageRefused"/> with the reason, on a stream named
/// after the offered bytes; offering the same bad bytes again is one more refusal on that stream.
/// </summary>
public static class PublishPatch
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/patches", Handle);

    public static async Task<IResult> Handle(
        HttpContext http, IDocumentSession session, PackageStore packages, TrustFolder trust, TimeProvider clock, CancellationToken ct)
    {
        if (await ReadBody(http.Request, ct) is not { } bytes)
            return Problems.From(new Refusal("package.oversized", $"A package may have at most {PackageLimits.PackageBytesMax >> 20} MiB.", StatusCodes.Status413PayloadTooLarge));

        PatchPackage package;
        string signer;
        try
        {
            var keys = TrustStore.Load(trust.Path);
            package = PackageReader.ReadTrusted(bytes, keys);
            signer = keys.SignerOf(package);
        }
        catch (PackageFault fault)
        {
            return await Refuse(session, bytes, fault.Code, fault.Message, http.Actor(), clock.GetUtcNow(), ct);
        }

        var id = StableId.Patch(package.Digest);
        var existing = await session.LoadAsync<PatchView>(id, ct);
        var holder = await session.LoadAsync<PatchName>(PatchName.Key(package.Manifest.Name, package.Manifest.Level), ct);
        var decision = Decide(package, bytes.Length, signer, existing, holder, http.Actor(), clock.GetUtcNow());
        if (decision.Refusal is { } refusal) return await Refuse(session, bytes, refusal.Code, refusal.Detail, http.Actor(), clock.GetUtcNow(), ct, refusal.Status);
        if (decision.Events.Count == 0) return TypedResults.Ok(existing!.ToDetails());

        await packages.Keep(package.Digest, bytes, ct);
        session.Insert(new PatchName(PatchName.Key(package.Manifest.Name, package.Manifest.Level), id));
        session.Events.StartStream(id, decision.Events);
        try
        {
            await session.SaveChangesAsync(ct);
        }
        catch (DocumentAlreadyExistsException)
        {
            return Problems.From(NameTaken(package.Manifest));
        }
        var view = new PatchView { Id = id, Name = package.Manifest.Name, Level = package.Manifest.Level, Digest = package.Digest, Published = (PatchPublished)decision.Events[0] };
        return TypedResults.Created($"/api/v1/patches/{id}", view.ToDetails());
    }

    public static Decision Decide(PatchPackage package, int bytes, string signer, PatchView? existing, PatchName? holder, string by, DateTimeOffset now)
    {
        var manifest = package.Manifest;
        if (existing is { Revoked: true })
            return Decision.Refuse("patch.revoked", $"Patch {manifest.Name} level {manifest.Level} was revoked and stays so. Publish its successor under a higher level.");
        if (existing is not null) return Decision.Nothing;
        if (holder is not null) return Decision.Refuse(NameTaken(manifest));
        return Decision.Record(new PatchPublished(
            StableId.Patch(package.Digest), manifest.Name, manifest.Level, package.Digest, manifest.Severity, manifest.Advisories, manifest.Summary,
            [.. manifest.Targets.Select(target => new PatchTarget(target.BuildId, target.Module, [.. target.Functions.Select(function => function.Name), .. target.Livepatch?.Functions.Select(function => function.Name) ?? []]))],
            bytes, signer, by, now)
        {
            Fallback = manifest.Fallback is { } fallback ? new Contracts.Gateway.PackageUpdate(fallback.Package, fallback.Version, fallback.Restart) : null,
        });
    }

    private static Refusal NameTaken(PatchManifest manifest) => new(
        "patch.name_taken", $"There is another patch {manifest.Name} of level {manifest.Level}. Build this one with a higher --level, or under another name.");

    private static async Task<IResult> Refuse(
        IDocumentSession session, byte[] bytes, string code, string reason, string by, DateTimeOffset now, CancellationToken ct, int status = StatusCodes.Status422UnprocessableEntity)
    {
        var digest = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(bytes));
        var stream = StableId.From($"refusal/{digest}");
        session.Events.Append(stream, new PackageRefused(stream, digest, bytes.Length, code, reason, by, now));
        await session.SaveChangesAsync(ct);
        return Problems.From(new Refusal(code, reason, status));
    }

    private static async Task<byte[]?> ReadBody(HttpRequest request, CancellationToken ct)
    {
        if (request.ContentLength > PackageLimits.PackageBytesMax) return null;
        using var body = new MemoryStream();
        var buffer = new byte[64 << 10];
        int read;
        while ((read = await request.Body.ReadAsync(buffer, ct)) > 0)
        {
            if (body.Length + read > PackageLimits.PackageBytesMax) return null;
            body.Write(buffer, 0, read);
        }
        return body.ToArray();
    }
}
