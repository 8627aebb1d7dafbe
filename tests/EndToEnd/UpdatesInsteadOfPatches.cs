using System.Diagnostics;
using System.Globalization;
using Hotpatch.Tests.EndToEnd.Fixtures;
using Xunit;

namespace Hotpatch.Tests.EndToEnd;

/// <summary>The ordinary update of the distribution, by apt and dpkg as they are: in the place of a hot patch that cannot be, and as the end of one.</summary>
public sealed class UpdatesInsteadOfPatches(Machine machine)
{
    // The end of a process within ten seconds of its apply, and a look, speaks against the patch.
    private static readonly TimeSpan AboveSuspicion = TimeSpan.FromSeconds(13);

    private string _source = "", _old = "", _fixed = "";

    [Fact]
    public async Task An_endpoint_that_cannot_be_hot_patched_is_updated_and_restarted_and_its_hot_patch_is_retired()
    {
        Build("fallback");
        // Without one that can, nothing would be proven of the patch, and a person asked.
        using var other = new PackagedEndpoint(machine, "packaged-4", "fallback", _old);
        using var endpoint = new PackagedEndpoint(machine, "packaged-1", "fallback", _old);
        endpoint.Source.Publish(PackagedEndpoint.Package, PackagedEndpoint.FixedVersion, _fixed, endpoint.Program);
        await endpoint.IsKnown();
        await other.IsKnown();
        var before = endpoint.Pids;
        // A debugger that somebody left there: the other process of the service can be patched, this one cannot.
        using var debugger = Debug(before[0]);

        Plan("fallback", "--fallback");
        machine.Hotpatch("rollout", "start", "fallback", "--reason", "test").Succeed();
        machine.Hotpatch("rollout", "watch", "fallback", "--timeout", "120", "--until", "completed").Succeed();

        var events = endpoint.Events();
        var refused = events.Single(one => one.Kind == "patch_refused").Data;
        Assert.Equal((before[0], "target.traced"), (refused["process"]!["pid"]!.GetValue<int>(), refused["code"]!.GetValue<string>()));
        Assert.Equal(before[1], events.Single(one => one.Kind == "patch_applied").Data["process"]!["pid"]!.GetValue<int>());
        var updated = events.Single(one => one.Kind == "package_updated").Data;
        Assert.Equal(
            (PackagedEndpoint.Package, PackagedEndpoint.OldVersion, PackagedEndpoint.FixedVersion, PackagedEndpoint.Unit),
            (updated["package"]!.GetValue<string>(), updated["fromVersion"]!.GetValue<string>(), updated["toVersion"]!.GetValue<string>(), updated["restarted"]!.AsArray().Single()!.GetValue<string>()));
        // The agent ended it itself: that is nobody's crash.
        Assert.DoesNotContain(events, one => one.Kind == "health_regressed");
        Assert.Equal(["apply refused", "update updated"], events.Where(one => one.Kind == "order_completed").Select(one => $"{one.Data["kind"]} {one.Data["result"]}"));
        var details = machine.Ask("rollout", "get", "fallback");
        Assert.Equal((1, 1), (details["fallbacksOrdered"]!.GetValue<int>(), details["fallbacksUpdated"]!.GetValue<int>()));
        Assert.Equal((1, 1), (details["rings"]![0]!["healthy"]!.GetValue<int>(), details["rings"]![0]!["updated"]!.GetValue<int>()));
        Assert.Equal(PackagedEndpoint.OldVersion, other.Source.Installed(PackagedEndpoint.Package));

        Assert.Equal(PackagedEndpoint.FixedVersion, endpoint.Source.Installed(PackagedEndpoint.Package));
        Assert.Empty(before.Intersect(endpoint.Pids));
        Assert.Equal([Teller.Fixed, Teller.Fixed], endpoint.Prove());
        await Machine.Eventually(() => Task.FromResult(endpoint.Has("patch_retired")), "the hot patch of the process that ended was not retired");
        Assert.Empty(machine.Ask("endpoint", "get", endpoint.Name)["patches"]!.AsArray());
    }

    [Fact]
    public async Task A_hot_patch_stays_until_the_fixed_package_is_installed_and_the_service_restarted_and_is_retired_then()
    {
        Build("retire");
        using var endpoint = new PackagedEndpoint(machine, "packaged-2", "retire", _old);
        await endpoint.IsKnown();
        Plan("retire");
        machine.Hotpatch("rollout", "start", "retire", "--reason", "test").Succeed();
        machine.Hotpatch("rollout", "watch", "retire", "--timeout", "60", "--until", "completed").Succeed();
        Assert.Equal([Teller.Fixed, Teller.Fixed], endpoint.Prove());

        // A restart alone brings the old file back to life, and with it the patch.
        await Task.Delay(AboveSuspicion, TestContext.Current.CancellationToken);
        endpoint.Restart();
        await Machine.Eventually(() => Task.FromResult(endpoint.Events().Count(one => one.Kind == "newcomer_patched") == 2), "the restarted service did not get the patch");
        // The fixed file alone leaves it to the processes of the old one.
        endpoint.Source.Publish(PackagedEndpoint.Package, PackagedEndpoint.FixedVersion, _fixed, endpoint.Program);
        endpoint.Source.Install(PackagedEndpoint.Package);
        await Task.Delay(AboveSuspicion, TestContext.Current.CancellationToken);
        Assert.False(endpoint.Has("patch_retired"), "it was retired while processes of the old file still need it");
        Assert.Equal([Teller.Fixed, Teller.Fixed], endpoint.Prove());

        endpoint.Restart();
        await Machine.Eventually(() => Task.FromResult(endpoint.Has("patch_retired")), "the hot patch was not retired");
        var retired = endpoint.Events().Single(one => one.Kind == "patch_retired").Data;
        Assert.Contains($"{PackagedEndpoint.Package} {PackagedEndpoint.FixedVersion}", retired["reason"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal(2, endpoint.Events().Count(one => one.Kind == "newcomer_patched"));
        Assert.False(endpoint.Has("health_regressed"));
        Assert.Equal([Teller.Fixed, Teller.Fixed], endpoint.Prove());
        Assert.Empty(machine.Ask("endpoint", "get", endpoint.Name)["patches"]!.AsArray());
    }

    [Fact]
    public async Task An_update_that_no_source_of_the_machine_has_fails_and_says_what_is_missing()
    {
        Build("missing");
        using var endpoint = new PackagedEndpoint(machine, "packaged-3", "missing", _old);
        await endpoint.IsKnown();
        var before = endpoint.Pids;
        using var first = Debug(before[0]);
        using var second = Debug(before[1]);
        Plan("missing", "--fallback", "--on-failure", "pause");
        machine.Hotpatch("rollout", "start", "missing", "--reason", "test").Succeed();

        await Machine.Eventually(() => Task.FromResult(endpoint.Has("package_update_failed")), "no failed update came");
        var failed = endpoint.Events().Single(one => one.Kind == "package_update_failed").Data;
        Assert.Equal("update.not_available", failed["code"]!.GetValue<string>());
        Assert.Contains($"{PackagedEndpoint.FixedVersion} is needed", failed["reason"]!.GetValue<string>(), StringComparison.Ordinal);
        await Machine.Eventually(() => Task.FromResult(machine.Ask("rollout", "get", "missing")["phase"]!.GetValue<string>() == "paused"), "the ring did not fail");
        Assert.Equal(before, endpoint.Pids);
        Assert.Equal(PackagedEndpoint.OldVersion, endpoint.Source.Installed(PackagedEndpoint.Package));
        machine.Hotpatch("rollout", "halt", "missing", "--reason", "test", "--yes");
    }

    // An edition of its own for each test: a plan for one means no process of another.
    private void Build(string name)
    {
        var folder = Path.Combine(machine.Folder, "editions", name);
        (_source, _old) = Teller.Edition(machine, name);
        _fixed = Path.Combine(folder, "fixed", "teller");
        var repaired = Teller.Copy(Path.Combine(folder, "fixed-source"), name);
        Teller.Fix(repaired);
        Teller.BuildInto(_fixed, repaired);
    }

    private void Plan(string name, params string[] more)
    {
        var file = Teller.Package(machine, _source, _old, name, 1, "fix.diff",
            "--fallback-package", $"{PackagedEndpoint.Package}={PackagedEndpoint.FixedVersion}", "--fallback-restart", PackagedEndpoint.Unit);
        machine.Hotpatch("sign", file, "--key", machine.KeyFile).Succeed();
        machine.Hotpatch("publish", file).Succeed();
        machine.Hotpatch(["rollout", "plan", "--patch", name, "--name", name, "--target", $"role={name}", "--ring", "all:rest", "--bake", "1s", .. more]).Succeed();
    }

    // Seizes the process (ptrace) and holds on until it is killed.
    private Debugger Debug(int pid)
    {
        var program = Path.Combine(machine.Folder, "tracer");
        if (!File.Exists(program)) RunningProgram.Run("gcc", ["-o", program, CheckoutRoot.PathOf("tests", "targets", "victims", "tracer.c")], machine.Folder, new Dictionary<string, string>()).Succeed();
        return new Debugger(program, pid);
    }

    private sealed class Debugger : IDisposable
    {
        private readonly Process _process;

        public Debugger(string program, int pid)
        {
            _process = Process.Start(new ProcessStartInfo(program, [pid.ToString(CultureInfo.InvariantCulture)]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
            Assert.Equal("tracing", _process.StandardOutput.ReadLine());
        }

        public void Dispose()
        {
            _process.StandardInput.Close();
            _process.WaitForExit();
            _process.Dispose();
        }
    }
}
