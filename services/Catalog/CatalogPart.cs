using Hotpatch.Contracts.Catalog;
using Hotpatch.Hosting;
using JasperFx.Events.Projections;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>Which patches exist and who vouches for them; and the policy that rollouts of them keep to.</summary>
public sealed class CatalogPart : ServicePart
{
    public override string Name => "catalog";
    public override Type? Announcer => typeof(Announcements);

    /// <summary>The facts the streams of patches, policies, waivers, holds and freezes can hold.</summary>
    public static readonly Type[] Facts =
    [
        typeof(PatchPublished), typeof(PackageRefused), typeof(PatchRevoked), typeof(PatchBlocked), typeof(PatchUnblocked), typeof(PolicyPublished),
        typeof(WaiverGranted), typeof(WaiverRevoked), typeof(HoldPlaced), typeof(HoldLifted), typeof(FreezeDeclared), typeof(FreezeLifted),
    ];

    public override void ConfigureStore(StoreOptions options)
    {
        options.Projections.Add<PatchViewProjection>(ProjectionLifecycle.Inline);
        options.Projections.Add<RefusalViewProjection>(ProjectionLifecycle.Inline);
        options.Projections.Add<WaiverViewProjection>(ProjectionLifecycle.Inline);
        options.Projections.Add<HoldViewProjection>(ProjectionLifecycle.Inline);
        options.Projections.Add<FreezeViewProjection>(ProjectionLifecycle.Inline);
        options.Schema.For<PatchView>().Duplicate(view => view.Name).Duplicate(view => view.Digest).DocumentAlias("patch_view");
        options.Schema.For<RefusalView>().DocumentAlias("refusal_view");
        options.Schema.For<PatchName>().Identity(name => name.Id).DocumentAlias("patch_name");
    }

    public override void ConfigureServices(IServiceCollection services, IConfiguration configuration)
    {
        var trust = configuration.Require("Catalog:TrustFolder", "the folder with the public keys (*.pub) whose signatures admit a package");
        var packages = configuration.Require("Catalog:PackageFolder", "a folder where admitted packages are kept");
        services.AddSingleton(new PackageStore(packages));
        services.AddSingleton(new TrustFolder(trust));
    }

    public override void MapRoutes(IEndpointRouteBuilder routes)
    {
        PublishPatch.Map(routes);
        RevokePatch.Map(routes);
        BlockPatch.Map(routes);
        UnblockPatch.Map(routes);
        FindPatches.Map(routes);
        DownloadPackage.Map(routes);
        PublishPolicy.Map(routes);
        GetPolicy.Map(routes);
        GrantWaiver.Map(routes);
        RevokeWaiver.Map(routes);
        FindWaivers.Map(routes);
        PlaceHold.Map(routes);
        LiftHold.Map(routes);
        FindHolds.Map(routes);
        DeclareFreeze.Map(routes);
        LiftFreeze.Map(routes);
        FindFreezes.Map(routes);
    }
}

/// <param name="Path">Read anew for each package, so that a key added or taken away counts without a restart.</param>
public sealed record TrustFolder(string Path);
