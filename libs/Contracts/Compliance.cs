using System.Text.Json;

namespace Hotpatch.Contracts.Compliance;

/// <summary>One stored event of a service, as it left that service's log.</summary>
/// <param name="Sequence">Position in the source's log: unique and rising, with gaps.</param>
/// <param name="StreamVersion">Position in its stream: contiguous from 1, so a missing fact shows.</param>
/// <param name="Kind">The event's alias, such as <c>patch_applied</c>; see <see cref="FactKinds"/>.</param>
public sealed record Fact(long Sequence, Guid EventId, Guid StreamId, long StreamVersion, string Kind, DateTimeOffset At, JsonElement Data);

/// <summary>A page of one service's log. Pages repeat and may overlap after a crash: skip what lies at or below the source's mark.</summary>
public sealed record EvidenceBatch(string Source, long Floor, long Ceiling, IReadOnlyList<Fact> Facts);
