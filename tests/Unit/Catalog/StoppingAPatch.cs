using Hotpatch.Catalog;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Hosting;
using Xunit;

namespace Hotpatch.Tests.Unit.Catalog;

public sealed class StoppingAPatch
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private readonly PatchView _patch = new()
    {
        Id = Guid.CreateVersion7(), Name = "p", Level = 1, Digest = "sha256:p",
        Published = new PatchPublished(Guid.Empty, "p", 1, "sha256:p", "high", [], "", [], 1, "k", "anna", Noon),
    };

    [Fact]
    public void Blocks_it_until_it_is_unblocked()
    {
        Do(Block("crashes on load"));
        Assert.Equal(("blocked", "crashes on load", "bob"), (_patch.ToDetails().Status, _patch.ToDetails().Stopped?.Reason, _patch.ToDetails().Stopped?.By));

        Do(UnblockPatch.Decide(_patch, "it was the load generator", "bob", Noon));

        Assert.Equal("published", _patch.ToDetails().Status);
        Assert.Null(_patch.ToDetails().Stopped);
    }

    [Fact]
    public void Repeated_records_nothing_unless_it_asks_for_more()
    {
        Do(Block("r"));

        Assert.Empty(Block("r").Events);
        var more = Assert.IsType<PatchBlocked>(Assert.Single(Do(Block("take it out", rollBack: true)).Events));
        Assert.True(more.RollBack);
        Assert.Empty(Block("less", rollBack: false).Events);
        Assert.Empty(Block("again", rollBack: true).Events);
    }

    [Fact]
    public void Unblocking_what_is_not_blocked_records_nothing() => Assert.Empty(UnblockPatch.Decide(_patch, "r", "bob", Noon).Events);

    [Fact]
    public void Revokes_it_for_good_whatever_happened_before()
    {
        Do(Block("r"));
        Do(UnblockPatch.Decide(_patch, "r", "bob", Noon));
        Do(Block("r"));
        Assert.Equal(4, _patch.Version);

        Do(RevokePatch.Decide(_patch, "superseded", "bob", Noon));

        Assert.Equal((5, "revoked", "superseded"), ((int)_patch.Version, _patch.ToDetails().Status, _patch.ToDetails().Stopped?.Reason));
        Assert.Equal("patch.revoked", Block("r").Refusal?.Code);
        Assert.Equal("patch.revoked", UnblockPatch.Decide(_patch, "r", "bob", Noon).Refusal?.Code);
        Assert.Empty(RevokePatch.Decide(_patch, "again", "bob", Noon).Events);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("   ")]
    [InlineData("nul \0")]
    public void Asks_for_a_reason_that_can_be_kept(string? reason)
    {
        Assert.Equal(422, Block(reason).Refusal?.Status);
        Assert.Equal(422, UnblockPatch.Decide(_patch, reason, "bob", Noon).Refusal?.Status);
        Assert.Equal(422, RevokePatch.Decide(_patch, reason, "bob", Noon).Refusal?.Status);
    }

    private Decision Block(string? reason, bool rollBack = false) => BlockPatch.Decide(_patch, reason, rollBack, "bob", Noon);

    private Decision Do(Decision decision)
    {
        Assert.Null(decision.Refusal);
        foreach (var fact in decision.Events) _patch.Fold(fact);
        return decision;
    }
}
