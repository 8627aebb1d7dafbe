using System.Globalization;
using Hotpatch.Tests.EndToEnd.Fixtures;
using Xunit;

namespace Hotpatch.Tests.EndToEnd;

/// <summary>What is not whole, signed, trusted and meant for this very binary is refused, changes nothing, and stays on record.</summary>
public sealed class RefusedPackages(Machine machine)
{
    private const int Usage = 2;

    public static TheoryData<string, string> Spoiled => new()
    {
        { "flipped", "package.altered" }, { "truncated", "package.truncated" }, { "garbage", "package.garbage" }, { "empty", "package.garbage" },
        { "flipped-signature", "package.altered" }, { "unsigned", "package.unsigned" }, { "foreign-key", "package.untrusted_key" },
    };

    [Theory]
    [MemberData(nameof(Spoiled))]
    public void By_the_catalogue(string kind, string code)
    {
        var file = Spoil(kind);
        var before = Patches();

        var published = machine.Hotpatch("publish", file);

        Assert.Equal(Usage, published.ExitCode);
        Assert.Contains($"code: {code}", published.Error, StringComparison.Ordinal);
        Assert.Equal(before, Patches());
        Assert.Equal(code, machine.Ask("patch", "refusals")[0]!["code"]!.GetValue<string>());
    }

    [Theory]
    [MemberData(nameof(Spoiled))]
    public void By_the_patcher(string kind, string code)
    {
        var victim = machine.Fleet[0];
        var text = File.ReadAllText($"/proc/{victim.TargetPid}/maps");

        var applied = machine.Hotpatch("apply", Spoil(kind), "--pid", victim.TargetPid.ToString(CultureInfo.InvariantCulture), "--trust", machine.TrustFolder);

        Assert.Equal(Usage, applied.ExitCode);
        Assert.Contains($"code: {code}", applied.Error, StringComparison.Ordinal);
        Assert.Equal(text, File.ReadAllText($"/proc/{victim.TargetPid}/maps"));
        victim.AssertNeverRestarted();
    }

    [Fact]
    public async Task When_they_were_built_for_another_binary()
    {
        var source = Path.Combine(machine.Folder, "teller", "source");
        var other = Directory.CreateDirectory(Path.Combine(machine.Folder, "other")).FullName;
        RunningProgram.Run("make", ["-C", source, "teller", "CFLAGS=-O1 -g"], other, new Dictionary<string, string>()).Succeed();
        RunningProgram.Run("strip", ["-o", Path.Combine(other, "teller"), Path.Combine(source, "teller")], other, new Dictionary<string, string>()).Succeed();
        foreach (var built in (string[])["teller", "teller.o"]) File.Delete(Path.Combine(source, built));
        var package = Path.Combine(other, "other.hpatch");
        machine.Hotpatch("build", "--source", source, "--diff", CheckoutRoot.PathOf("tests", "targets", "teller", "fix.diff"), "--make", "make teller CFLAGS='-O1 -g'",
            "--program", "teller", "--shipped", Path.Combine(other, "teller"), "--name", "for-another-build", "--work", Path.Combine(other, "work"), "--out", package).Succeed();
        machine.Hotpatch("sign", package, "--key", machine.KeyFile).Succeed();
        machine.Hotpatch("publish", package).Succeed();

        await Machine.Eventually(() => Task.FromResult(!Plan().Error.Contains("patch_unknown", StringComparison.Ordinal)), "the patch did not arrive");
        var planned = Plan();
        Assert.Equal(Usage, planned.ExitCode);
        Assert.Contains("code: rollout.no_targets", planned.Error, StringComparison.Ordinal);

        var applied = machine.Hotpatch("apply", package, "--pid", machine.Fleet[0].TargetPid.ToString(CultureInfo.InvariantCulture), "--trust", machine.TrustFolder);
        Assert.Equal(Usage, applied.ExitCode);
        Assert.Contains("code: target.build_id_mismatch", applied.Error, StringComparison.Ordinal);

        await Machine.Eventually(() => Task.FromResult(Recorded("rollout.no_targets")), "the refusal is not on record", seconds: 20);

        CommandResult Plan() => machine.Hotpatch("rollout", "plan", "--patch", "for-another-build", "--name", "for-another-build", "--ring", "all:rest");
    }

    // Page after page: other tests have filled the ledger before this one.
    private bool Recorded(string text)
    {
        for (var after = 0L; ;)
        {
            var page = machine.Ask("audit", "ledger", "--after", after.ToString(CultureInfo.InvariantCulture), "--limit", "1000").AsArray();
            if (page.Count == 0) return false;
            if (page.ToJsonString().Contains(text, StringComparison.Ordinal)) return true;
            after = page[^1]!["sequence"]!.GetValue<long>();
        }
    }

    private int Patches() => machine.Ask("patch", "list").AsArray().Count;

    private string Spoil(string kind)
    {
        var name = $"spoiled-{kind}";
        var file = Teller.Package(machine, name, level: 1, signed: kind is not "unsigned" and not "foreign-key");
        var bytes = File.ReadAllBytes(file);
        switch (kind)
        {
            case "flipped": bytes[bytes.Length / 2] ^= 1; break;
            case "flipped-signature": bytes[^3] ^= 1; break;
            case "truncated": bytes = bytes[..(bytes.Length / 2)]; break;
            case "garbage": Random.Shared.NextBytes(bytes); break;
            case "empty": bytes = []; break;
            case "foreign-key":
                var keys = Path.Combine(machine.Folder, "foreign");
                if (!Directory.Exists(keys)) machine.Hotpatch("key", "new", "--out", keys, "--name", "foreign").Succeed();
                machine.Hotpatch("sign", file, "--key", Path.Combine(keys, "foreign.key")).Succeed();
                return file;
        }
        File.WriteAllBytes(file, bytes);
        return file;
    }
}
