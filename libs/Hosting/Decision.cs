using Microsoft.AspNetCore.Http;

namespace Hotpatch.Hosting;

/// <summary>The caller asked for something the present state or a rule does not allow. A value, never thrown.</summary>
/// <param name="Code">Stable, such as <c>rollout.not_running</c>.</param>
/// <param name="Detail">One sentence that says what to do.</param>
public sealed record Refusal(string Code, string Detail, int Status = StatusCodes.Status409Conflict);

/// <summary>What a slice's pure <c>Decide</c> answers: events to record, nothing (already so), or a refusal.</summary>
public sealed record Decision
{
    private Decision(IReadOnlyList<object> events, Refusal? refusal)
    {
        Events = events;
        Refusal = refusal;
    }

    public IReadOnlyList<object> Events { get; }
    public Refusal? Refusal { get; }

    /// <summary>It already is as asked: repeating a command records nothing and is no error.</summary>
    public static Decision Nothing { get; } = new([], null);

    public static Decision Record(params object[] events) => new(events, null);

    public static Decision Refuse(Refusal refusal) => new([], refusal);

    public static Decision Refuse(string code, string detail, int status = StatusCodes.Status409Conflict) => new([], new Refusal(code, detail, status));
}
