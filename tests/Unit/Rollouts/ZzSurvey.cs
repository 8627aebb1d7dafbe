using Hotpatch.Tests.Unit.Rollouts.Simulation;
using Xunit;
namespace Hotpatch.Tests.Unit.Rollouts;
public sealed class ZzSurvey(ITestOutputHelper output)
{
    [Fact]
    public void Look()
    {
        var n = int.Parse(Environment.GetEnvironmentVariable("HOTPATCH_SCHEDULES") ?? "500");
        var found = new Dictionary<string, (int Count, int Seed, string Text)>();
        var kinds = new Dictionary<string, int>();
        var phases = new Dictionary<string, int>();
        var watch = System.Diagnostics.Stopwatch.StartNew();
        long steps = 0, facts = 0, gw = 0;
        for (var seed = 0; seed < n; seed++)
        {
            var world = new World(seed);
            if (Play.Fails(world) is { } v)
            {
                var key = System.Text.RegularExpressions.Regex.Replace(v is Violation ? v.Message : v.GetType().Name + v.Message, "[0-9]+", "#"); key = key[..Math.Min(60, key.Length)];
                var was = found.GetValueOrDefault(key);
                found[key] = (was.Count + 1, was.Count == 0 ? seed : was.Seed, was.Count == 0 ? v.Message + (v is Violation ? "" : v.StackTrace) : was.Text);
            }
            steps += world.Step;
            foreach (var log in world.Rollouts) { facts += log.Facts.Count; var k = $"{log.Rollout.Phase}@{log.Rollout.CurrentRing}"; phases[k] = phases.GetValueOrDefault(k) + 1; }
            foreach (var log in world.Rollouts) { foreach (var f in log.Facts) { var k = f.GetType().Name; kinds[k] = kinds.GetValueOrDefault(k) + 1; } foreach (var pause in log.Rollout.Pauses) { var k = "stands " + pause.Cause; kinds[k] = kinds.GetValueOrDefault(k) + 1; } }
            foreach (var f in world.Gateway.Streams.Values.SelectMany(x => x)) { var k = f.GetType().Name + (f is Contracts.Gateway.OrderCompleted c ? c.Kind.ToString() + c.Result : ""); kinds[k] = kinds.GetValueOrDefault(k) + 1; }
            gw += world.Gateway.Streams.Values.Sum(s => s.Count);
        }
        output.WriteLine($"{watch.Elapsed.TotalSeconds:0.0}s steps {steps / n} facts {facts / n} gateway facts {gw / n}");
        output.WriteLine(string.Join(", ", phases.OrderBy(p => p.Key).Select(p => $"{p.Key} {p.Value}")));
        foreach (var (k, v) in found.OrderByDescending(f => f.Value.Count)) output.WriteLine($"{v.Count} x seed {v.Seed}: {v.Text}");
        output.WriteLine(string.Join(", ", kinds.OrderBy(p => p.Key).Select(p => $"{p.Key} {p.Value}")));
        Assert.True(found.Count == -1);
    }
}
