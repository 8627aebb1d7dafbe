using Hotpatch.Contracts.Policies;

namespace Hotpatch.Rules;

/// <summary>A window as the calendar holds it.</summary>
/// <param name="Recurrence">Null when the window cannot be read; <paramref name="Unread"/> says why.</param>
internal sealed record CalendarEntry(Window Window, WindowRecurrence? Recurrence, string? Unread)
{
    public bool Denies => Window.Kind != WindowKind.Allow;

    public static CalendarEntry Of(Window window)
    {
        var recurrence = WindowRecurrence.Read(window, out var why);
        return new(window, recurrence, why);
    }

    /// <summary>Name and kind, and why it counts against work when it is not its time.</summary>
    public string Tell(bool known) =>
        $"{(Denies ? "deny" : "allow")} window '{Window.Name}'{(Unread is not null ? $", which cannot be read ({Unread})" : known ? "" : ", whose zone is the endpoint's and not known")}";
}
