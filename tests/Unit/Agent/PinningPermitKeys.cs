using Hotpatch.Agent;
using Hotpatch.Trust;
using Xunit;

namespace Hotpatch.Tests.Unit.Agent;

/// <summary>The first keys an agent is told are the ones it believes.</summary>
public sealed class PinningPermitKeys : IDisposable
{
    private readonly string _state = Directory.CreateTempSubdirectory("hotpatch-agent-").FullName;
    private readonly StatementKey _first = StatementKey.Generate(), _second = StatementKey.Generate();

    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
        Directory.Delete(_state, recursive: true);
    }

    [Fact]
    public void Other_keys_told_later_are_not_believed_nor_after_a_restart()
    {
        var keys = new PermitKeys(_state, repin: false);
        keys.Take([_first.PublicKey]);
        keys.Take([_second.PublicKey]);
        Assert.Equal([_first.KeyId], keys.Pinned.Select(key => key.KeyId));

        var again = new PermitKeys(_state, repin: false);
        again.Take([_second.PublicKey]);
        Assert.Equal([_first.KeyId], again.Pinned.Select(key => key.KeyId));
    }

    [Fact]
    public void A_person_may_have_them_taken_anew_once()
    {
        new PermitKeys(_state, repin: false).Take([_first.PublicKey]);
        var keys = new PermitKeys(_state, repin: true);
        keys.Take([_second.PublicKey]);
        keys.Take([_first.PublicKey]);

        Assert.Equal([_second.KeyId], keys.Pinned.Select(key => key.KeyId));
    }

    [Fact]
    public void What_is_no_key_is_not_pinned()
    {
        var keys = new PermitKeys(_state, repin: false);
        keys.Take([[1, 2, 3]]);

        Assert.Empty(keys.Pinned);
    }

    [Fact]
    public void A_damaged_file_is_said_with_what_to_do()
    {
        File.WriteAllText(Path.Combine(_state, "permit-keys"), "no key\n");

        var fault = Assert.Throws<UsageFault>(() => new PermitKeys(_state, repin: false));
        Assert.Contains("--repin", fault.Message, StringComparison.Ordinal);
    }
}
