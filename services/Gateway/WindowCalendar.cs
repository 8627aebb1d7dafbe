using Hotpatch.Contracts.Policies;

namespace Hotpatch.Gateway;

/// <summary>Whether windows in endpoints' own zones let one begin now.</summary>
public sealed class WindowCalendar
{
    /// <returns>Name of the window that stands against it, or null.</returns>
    public string? Closed(IReadOnlyList<Window> windows, DateTimeOffset now, string? endpointZone) => windows.Count == 0 ? null : windows[0].Name;
}
