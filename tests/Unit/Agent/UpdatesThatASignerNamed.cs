using System.Runtime.Versioning;
using Hotpatch.Agent;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Packaging;
using Xunit;

namespace Hotpatch.Tests.Unit.Agent;

/// <summary>Only the package that the patch's signers named is updated, and only what they named restarted, whoever orders it.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class UpdatesThatASignerNamed
{
    private static readonly PackageFallback Signed = new("redis-server", "5:7.0.15-2", ["redis-server.service", "redis-sentinel.service"]);

    [Theory]
    [InlineData("redis-server", "5:7.0.15-2", "redis-server.service", true)]
    [InlineData("redis-server", "5:7.0.15-2", "ssh.service", false)]
    [InlineData("redis-server", "5:7.0.15-1", "redis-server.service", false)]
    [InlineData("openssh-server", "5:7.0.15-2", "redis-server.service", false)]
    public void Decide_what_an_order_may_ask(string package, string version, string unit, bool fits) =>
        Assert.Equal(fits, UpdateOrders.Misfit(new PackageUpdate(package, version, [unit]), Signed) is null);

    [Fact]
    public void Are_none_where_the_manifest_names_none() => Assert.NotNull(UpdateOrders.Misfit(new PackageUpdate("redis-server", "1", []), null));

    [Fact]
    public async Task Another_ends_as_failed_and_runs_nothing()
    {
        using var endpoint = new TestEndpoint(manifest => manifest with { Fallback = Signed });
        endpoint.Runs(endpoint.Process(42));
        endpoint.Order("update", change: order => order.Update = new Contracts.Agents.PackageUpdate { Package = "openssh-server", Version = "1", Restart = { "ssh.service" } });
        await endpoint.Pass();

        Assert.Equal("update.not_in_manifest", Assert.Single(endpoint.Facts<PackageUpdateFailed>()).Code);
        Assert.Equal(OrderResult.UpdateFailed, endpoint.Completed().Result);
        Assert.Empty(endpoint.Requests());
    }

    [Fact]
    public async Task Wait_for_a_permit_like_every_other_order()
    {
        using var endpoint = new TestEndpoint(manifest => manifest with { Fallback = Signed }) { GrantsAtOnce = false };
        endpoint.Runs(endpoint.Process(42));
        var order = endpoint.Order("update", change: order => order.Update = new Contracts.Agents.PackageUpdate { Package = Signed.Package, Version = Signed.Version, Restart = { Signed.Restart } });
        await endpoint.Pass();

        Assert.Equal(order.OrderId, Assert.Single(endpoint.Requests()).OrderId);
        Assert.Empty(endpoint.Journal.OpenIntents);
    }
}
