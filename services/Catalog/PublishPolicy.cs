using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Policies;
using Hotpatch.Hosting;
using Hotpatch.Rules;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>
/// The rules every rollout keeps to are replaced, whole. Records <see cref="PolicyPublished"/> under the next version; a version is never
/// changed, and plans cite the one they kept to. The same policy again records nothing. A dry run checks and records nothing.
/// </summary>
public static class PublishPolicy
{
    public static void Map(IEndpointRouteBuilder routes) => routes.MapPost("/policy", Handle);

    // The body is taken as it is, since reading it as the record would pass over keys that are not there.
    public static async Task<IResult> Handle(
        JsonElement body, HttpContext http, IDocumentSession session, TimeProvider clock, CancellationToken ct, bool dryRun = false)
    {
        if (!TryExpectedVersion(http, out var expected))
            return Problems.From(new Refusal("request.if_match", "If-Match must be the version the policy was read with, such as \"7\", or *.", StatusCodes.Status400BadRequest));
        var current = await GetPolicy.InForce(session, ct);
        var decision = Decide(current, body, expected, http.Actor(), clock.GetUtcNow());
        if (decision.Refusal is { } refusal) return Problems.From(refusal);
        if (decision.Events.Count == 0) return GetPolicy.Answer(http, current!);

        var published = (PolicyPublished)decision.Events[0];
        if (dryRun) return TypedResults.Ok(GetPolicy.Describe(published));
        session.Events.Append(published.PolicyId, published.Version, published);      // a version is its place in the stream: two at once, one wins
        await session.SaveChangesAsync(ct);
        http.Response.Headers.ETag = $"\"{published.Version}\"";
        return TypedResults.Created($"/api/v1/policy/{published.Version}", GetPolicy.Describe(published));
    }

    /// <param name="expected">Version the caller has read, 0 for none; null = whatever it is.</param>
    public static Decision Decide(PolicyPublished? current, JsonElement body, int? expected, string by, DateTimeOffset now)
    {
        var version = current?.Version ?? 0;
        if (expected is { } read && read != version)
            return Decision.Refuse("stream.changed", $"The policy is at version {version}, not {read}. Read it again and repeat the command if it still makes sense.", StatusCodes.Status412PreconditionFailed);
        var problems = DocumentShape.Check<PublishPolicyRequest>(body).ToList();
        if (problems.Count > 0) return CommandWords.Refuse("policy.invalid", "policy", problems);

        var request = body.Deserialize<PublishPolicyRequest>(ContractJson.Options)!;
        if (request.Policy is null) problems.Add(new("policy", "Send {\"policy\": {...}, \"reason\": \"...\"}; 'hotpatch policy example' prints one."));
        else problems.AddRange(PolicyCheck.Check(request.Policy).Select(problem => problem with { Path = $"policy.{problem.Path}" }));
        if (CommandWords.CheckReason(request.Reason) is { } reasonless) problems.Add(new("reason", reasonless.Detail));
        if (problems.Count > 0) return CommandWords.Refuse("policy.invalid", "policy", problems);

        if (current is not null && IsSame(current.Policy, request.Policy!)) return Decision.Nothing;
        return Decision.Record(new PolicyPublished(GetPolicy.Stream, GetPolicy.Name, version + 1, request.Policy!, request.Reason!.Trim(), by, now));
    }

    private static bool IsSame(Policy one, Policy other) => JsonSerializer.Serialize(one, ContractJson.Options) == JsonSerializer.Serialize(other, ContractJson.Options);

    private static bool TryExpectedVersion(HttpContext http, out int? version)
    {
        version = null;
        var header = http.Request.Headers.IfMatch.ToString();
        if (header is "" or "*") return true;
        if (!int.TryParse(header.Trim('"'), out var number)) return false;
        version = number;
        return true;
    }
}
