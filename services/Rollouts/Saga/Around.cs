using Hotpatch.Contracts.Catalog;
using Hotpatch.Rules;

namespace Hotpatch.Rollouts.Saga;

/// <summary>What holds a rollout at an instant: its patch, its windows, and the freezes over all. The same facts and time give the same answer.</summary>
public static class Around
{
    /// <param name="patch">Null when it was never heard of.</param>
    /// <param name="freezes">Those that nobody lifted.</param>
    public static Outside Of(Rollout rollout, KnownPatch? patch, IReadOnlyList<FreezeDeclared> freezes, Calendars calendars, DateTimeOffset now)
    {
        var holds = new List<(string Cause, string Reason)>();
        var until = new Dictionary<string, DateTimeOffset>();
        if (patch is { Revoked: true }) holds.Add((PauseCauses.PatchBlocked, $"Patch {rollout.PatchName} was revoked."));
        else if (patch is { Blocked: true }) holds.Add((PauseCauses.PatchBlocked, $"Patch {rollout.PatchName} is blocked: {patch.BlockedBecause}"));

        var frozen = freezes.Select(freeze => (freeze.Name, freeze.Reason, State: calendars.OfFreeze(freeze.Window, now))).Where(freeze => !freeze.State.Open).ToList();
        // Of several the one that lasts longest is told: it is the one to wait for.
        if (frozen.Count > 0)
        {
            var (name, reason, state) = frozen.MaxBy(freeze => freeze.State.Changes ?? DateTimeOffset.MaxValue);
            Add(PauseCauses.Freeze, $"Freeze {name}: {reason}", state);
        }

        if (rollout.Terms.Windows is { Count: > 0 } windows && calendars.OfRollout(windows, now) is { Open: false } closed)
            Add(PauseCauses.WindowClosed, $"Nothing begins now: {closed.Because}", closed);

        return new Outside(holds, patch is { Blocked: true, RollBack: true } ? $"Patch {rollout.PatchName} was blocked: {patch.BlockedBecause}" : null) { Until = until };

        void Add(string cause, string reason, CalendarState state)
        {
            holds.Add((cause, state.Changes is { } end ? $"{reason.TrimEnd('.')}, until {end.UtcDateTime:yyyy-MM-dd HH:mm'Z'}." : reason));
            if (state.Changes is { } at) until[cause] = at;
        }
    }

    /// <summary>When windows or freezes say something else to the rollout next; null = not in sight.</summary>
    public static DateTimeOffset? NextChange(Rollout rollout, IReadOnlyList<FreezeDeclared> freezes, Calendars calendars, DateTimeOffset now)
    {
        var changes = freezes.Select(freeze => calendars.OfFreeze(freeze.Window, now).Changes).ToList();
        if (rollout.Terms.Windows is { Count: > 0 } windows) changes.Add(calendars.OfRollout(windows, now).Changes);
        return changes.Min();
    }
}
