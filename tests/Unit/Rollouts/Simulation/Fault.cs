using System.Runtime.CompilerServices;
using System.Text;

namespace Hotpatch.Tests.Unit.Rollouts.Simulation;

/// <summary>What goes wrong in a schedule. A run in which one of them never happened proves nothing of it.</summary>
internal enum Fault
{
    Loss,
    Duplicate,

    /// <summary>A node of the saga dies with its transaction, and the message comes again.</summary>
    SagaDiesBeforeCommit,

    /// <summary>It dies after it, before it could acknowledge or tell: what it decided is stored, the message comes again.</summary>
    SagaDiesAfterCommit,

    /// <summary>Another node, or a person, was faster.</summary>
    LostRace,

    /// <summary>Some of a page was published and its position was not stored: all of it comes again.</summary>
    AnnouncerDies,
    GatewayDies,
    AgentDies,
    AgentOffline,
    AgentSleeps,
    AgentGone,
    MetricsSilent,
}

/// <summary>A line of the story of a schedule, written only when somebody reads it.</summary>
[InterpolatedStringHandler]
internal readonly ref struct Line
{
    private readonly StringBuilder? _text;

    public Line(int literal, int holes, World world, out bool needed) => (_text, needed) = (world.IsTraced ? new StringBuilder(literal + 8 * holes) : null, world.IsTraced);

    public void AppendLiteral(string text) => _text?.Append(text);

    public void AppendFormatted<T>(T value) => _text?.Append(value);

    public override string ToString() => _text?.ToString() ?? "";
}
