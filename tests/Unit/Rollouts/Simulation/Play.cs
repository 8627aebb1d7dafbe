using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

internal static class Play
{
    private const int ShownMax = 60;

    /// <summary>Plays one schedule; what does not hold fails the test with seed, step, invariant and the last lines of what happened.</summary>
    public static World Seed(int seed, Bug bug)
    {
        var world = new World(seed, bug);
        if (Fails(world) is not { } violation) return world;
        // The same again, this time writing down what happens.
        var told = new World(seed, bug, traced: true);
        Fails(told);
        Assert.Fail($"seed {seed}, step {world.Step}: {violation.Message}\nHOTPATCH_SEED={seed} plays it again. Before it:\n{string.Join('\n', told.Told.TakeLast(ShownMax))}");
        return world;
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
