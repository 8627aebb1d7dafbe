using Hotpatch.Tests.Integration.Fixtures;
using Xunit;

namespace Hotpatch.Tests.Integration.Engine;

/// <summary>C++ exceptions meet patched code: thrown in it, caught in it, on their way through it.</summary>
public sealed class ExceptionsThroughAPatch
{
    private static readonly VictimRecipe Thrower = new("thrower.cc") { Compiler = "g++" };

    [Theory]
    [InlineData("")]
    [InlineData("-fno-pie -no-pie -DTHROWN=std::invalid_argument")]
    [InlineData("-fcf-protection -fno-omit-frame-pointer")]
    public void Are_caught_where_they_were_and_where_the_fix_wants_it(string flags)
    {
        using var victim = Victim.Start(Thrower with { Flags = flags.Split(' ', StringSplitOptions.RemoveEmptyEntries) });
        AssertUnpatched(victim);

        victim.Apply();
        Assert.Equal(["7", "caught negative", "1"], [victim.Ask("pass 3"), victim.Ask("pass -1"), victim.Ask("local 1")]);
        Assert.Equal(["-300", "caught too large", "-1"], [victim.Ask("local -3"), victim.Ask("throws 2000"), victim.Ask("handler -1")]);
        Assert.Equal("2", victim.Ask("destroyed"));

        victim.RollBack();
        AssertUnpatched(victim);
        Assert.Equal("2", victim.Ask("destroyed"));
    }

    [Fact]
    public void Fly_on_in_all_threads_while_patches_come_and_go()
    {
        using var victim = Victim.Start(Thrower, threads: 16);
        for (var round = 0; round < 10; round++)
        {
            victim.Apply();
            Assert.Equal("caught negative", victim.Ask("pass -1"));
            victim.RollBack();
            Assert.Equal("caught negative", victim.Ask("pass -1"));
        }
        Assert.NotEqual("0", victim.Ask("destroyed"));
    }

    private static void AssertUnpatched(Victim victim) => Assert.Equal(
        ["6", "caught negative", "-3", "2000", "caught negative"],
        [victim.Ask("pass 3"), victim.Ask("pass -1"), victim.Ask("local -3"), victim.Ask("throws 2000"), victim.Ask("handler -1")]);
}
