using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

internal static class Play
{
    private const int BeginningMax = 12, EndMax = 80, JobsMax = 2;

    /// <summary>Plays a schedule for each seed; of what does not hold, the first by seed fails the test and tells its story.</summary>
    public static Coverage Seeds(int first, int count, Schedule? plan = null)
    {
        var covered = new Coverage();
        var played = Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = JobsMax }, (n, loop) =>
        {
            var world = new World(first + n, plan: plan);
            if (Fails(world) is not null) loop.Break();
            else covered.Add(world);
        });
        if (played.LowestBreakIteration is not { } at) return covered;

        // The same again, this time writing down what happens.
        var told = new World(first + (int)at, traced: true, plan: plan);
        var broken = Fails(told);
        Assert.Fail(
            $"""
            seed {told.Seed}, step {told.Step}: {(broken is Violation ? broken.Message : broken)}
            HOTPATCH_SEED={told.Seed} plays it alone. What happened (step, time, who and what; ! is a fault):
            {string.Join('\n', told.Told.Take(BeginningMax))}
            {(told.Told.Count > BeginningMax + EndMax ? $"... {told.Told.Count - BeginningMax - EndMax} lines ...\n" : "")}{string.Join('\n', told.Told.Skip(BeginningMax).TakeLast(EndMax))}
            """);
        return covered;
    }

    /// <returns>What did not hold, or null.</returns>
    public static Exception? Fails(World world)
    {
        try
        {
            world.Run();
            return null;
        }
        catch (Exception broken) when (broken is Violation or InvalidOperationException or NullReferenceException or ArgumentException or KeyNotFoundException)
        {
            return broken;
        }
    }
}
