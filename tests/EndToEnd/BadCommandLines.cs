using Hotpatch.Tests.EndToEnd.Fixtures;
using Xunit;

namespace Hotpatch.Tests.EndToEnd;

/// <summary>Each verb with what makes no sense: one sentence, a code where a rule said no, the documented exit code, never a stack trace.</summary>
public sealed class BadCommandLines(Machine machine)
{
    private const int Usage = 2, NotFound = 3, SignIn = 4, Unreachable = 6;

    public static TheoryData<int, string, string> Lines => new()
    {
        { Usage, "frobnicate", "" },
        { Usage, "-o xml endpoint list", "" },
        { Usage, "endpoint list --foo", "" },
        { NotFound, "endpoint get nope", "endpoint.not_found" },
        { NotFound, "endpoint events nope", "endpoint.not_found" },
        { SignIn, "endpoint list --token wrong", "access.token_required" },
        { Unreachable, "endpoint list --server http://127.0.0.1:1", "server.unreachable" },
        { Usage, "endpoint list --server not-an-address", "config.address" },
        { Usage, "endpoint list --context nope", "config.context" },
        { NotFound, "why nope", "endpoint.not_found" },
        { Usage, "why", "usage.endpoint" },
        { Usage, "why endpoint-1 --all", "usage.endpoint" },
        { NotFound, "why --all --patch nope", "patch.not_found" },
        { Usage, "why --all --at yesterday", "usage.instant" },
        { NotFound, "compliance --patch nope", "patch.not_found" },
        { Usage, "compliance --at yesterday", "usage.instant" },
        { Usage, "audit as-of never", "usage.instant" },
        { Usage, "audit as-of 2999-01-01T00:00:00Z", "usage.instant" },
        { Usage, "audit ledger --limit many", "" },
        { NotFound, "patch get nope", "patch.not_found" },
        { NotFound, "patch revoke nope --reason x", "patch.not_found" },
        { NotFound, "publish /nowhere", "file.missing" },
        { NotFound, "publish /", "file.missing" },
        { Usage, "publish /etc/passwd", "package.garbage" },
        { NotFound, "inspect /nowhere", "file.missing" },
        { Usage, "inspect /etc/passwd", "package.garbage" },
        { NotFound, "sign /nowhere --key /etc/passwd", "file.missing" },
        { Usage, "key new --out /proc/nope", "" },
        { Usage, "build --name x", "" },
        { Usage, "build --name x --shipped /etc/passwd --source /nowhere --diff /nowhere --make true --program x --out /dev/null", "" },
        { Usage, "rollout plan --patch x", "" },
        { Usage, "rollout plan --patch nope --ring all:rest", "rollout.patch_unknown" },
        { Usage, "rollout plan --patch nope --ring all", "rollout.rings" },
        { Usage, "rollout plan --patch nope --ring all:rest --bake soon", "usage.duration" },
        { Usage, "rollout plan --patch nope --ring all:rest --on-failure explode", "" },
        { NotFound, "rollout get nope", "rollout.not_found" },
        { NotFound, "rollout events nope", "rollout.not_found" },
        { NotFound, "rollout watch nope", "rollout.not_found" },
        { Usage, "rollout watch nope --until dancing", "" },
        { NotFound, "rollout start nope --reason x", "rollout.not_found" },
        { NotFound, "rollout pause nope --reason x", "rollout.not_found" },
        { NotFound, "rollout resume nope --reason x", "rollout.not_found" },
        { NotFound, "rollout promote nope --reason x --yes", "rollout.not_found" },
        { NotFound, "rollout rollback nope --reason x --yes", "rollout.not_found" },
        { NotFound, "rollout halt nope --reason x --yes", "rollout.not_found" },
        { Usage, "rollout start nope", "" },
        { Usage, "rollout start nope --reason x --at sometime", "usage.instant" },
        { NotFound, "rollout start nope --reason x --at 2h", "rollout.not_found" },
        { NotFound, "rollout retry nope --reason x", "rollout.not_found" },
        { NotFound, "rollout expedite nope --reason x --yes", "rollout.not_found" },
        { Usage, "rollout expedite nope --reason x --yes --bake soon", "usage.duration" },
        { Usage, "rollout expedite nope --reason x", "usage.confirm" },
        { Usage, "rollout rollback nope --reason x --scope failed", "usage.confirm" },
        { Usage, "rollout amend-gate nope --reason x", "usage.gate" },
        { NotFound, "rollout amend-gate nope --reason x --failure-budget 1", "rollout.not_found" },
        { NotFound, "rollout members nope", "rollout.not_found" },
        { NotFound, "rollout verify nope", "rollout.not_found" },
        { Usage, "rollout what-if nope", "usage.gate" },
        { NotFound, "rollout what-if nope --bake 1s", "rollout.not_found" },
        { Usage, "patch rollback nope --reason x", "" },
        { Usage, "patch rollback nope --reason x --to-level -1", "usage.level" },
        { NotFound, "patch rollback nope --reason x --to-level 1 --yes", "patch.not_found" },
        { Usage, "apply /etc/passwd --pid 1 --trust /etc", "" },
        { Usage, "apply /etc/passwd --pid nine --trust /etc", "" },
        { NotFound, "status --pid 2147483647", "target.gone" },
        { NotFound, "attest --pid 2147483647", "target.gone" },
        { NotFound, "rollback --pid 2147483647 --digest sha256:00", "target.gone" },
        { Usage, "status", "usage.target" },
        { Usage, "status --pid 1 --kernel", "usage.target" },
        { Usage, "status --pid 0", "usage.target" },
        { Usage, "build --name x --livepatch /etc/passwd --out /dev/null", "usage.kernel" },
        { Usage, "build --name x --livepatch /etc/passwd --kernel 0123456789abcdef --function vmlinux:f --out /dev/null", "livepatch.not_a_livepatch" },
        { Usage, "build --name x --livepatch /etc/passwd --kernel 0123456789abcdef --function f --out /dev/null", "usage.function" },
        { NotFound, "doctor --agents /nowhere", "folder.missing" },
    };

    [Theory]
    [MemberData(nameof(Lines))]
    public void End_with_a_sentence_a_code_and_the_documented_exit_code(int exitCode, string line, string code)
    {
        var result = machine.Hotpatch(line.Split(' '));

        Assert.True(exitCode == result.ExitCode, result.Everything);
        Assert.StartsWith("error: ", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", result.Error, StringComparison.Ordinal);
        if (code.Length > 0) Assert.Contains($"code: {code}", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Have_help_for_every_command()
    {
        foreach (var command in (string[])["", "build", "sign", "inspect", "publish", "patch", "rollout", "rollout plan", "rollout start", "rollout rollback", "rollout amend-gate", "rollout what-if", "rollout members", "rollout verify", "patch rollback", "endpoint", "compliance", "why", "audit", "apply", "status", "rollback", "attest", "doctor", "key"])
            Assert.Contains("Usage:", machine.Hotpatch([.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]).Succeed().Output, StringComparison.Ordinal);
    }
}
