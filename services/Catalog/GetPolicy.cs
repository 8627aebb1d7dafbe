using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using Hotpatch.Contracts.Catalog;
using Hotpatch.Contracts.Policies;
using Hotpatch.Hosting;
using Marten;

namespace Hotpatch.Catalog;

/// <summary>Reads the policy: the one in force, each earlier one, and what changed between two. The stream is the history; there is no view.</summary>
public static class GetPolicy
{
    /// <summary>There is one policy, and its name.</summary>
    public const string Name = "default";

    public static readonly Guid Stream = StableId.From($"policy/{Name}");

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/policy", async (HttpContext http, IQuerySession session, CancellationToken ct) =>
            await InForce(session, ct) is { } current ? Answer(http, current) : None());

        routes.MapGet("/policy/history", async (IQuerySession session, CancellationToken ct) => (await History(session, ct)).Reverse().Select(Describe));

        routes.MapGet("/policy/{version:int}", async (int version, HttpContext http, IQuerySession session, CancellationToken ct) =>
            (await History(session, ct)).FirstOrDefault(published => published.Version == version) is { } found ? Answer(http, found) : NoVersion(version));

        routes.MapGet("/policy/diff", async (IQuerySession session, CancellationToken ct, int? from = null, int? to = null) =>
        {
            var history = await History(session, ct);
            if (history.Count == 0) return None();
            var newer = to ?? history[^1].Version;
            var older = from ?? Math.Max(0, newer - 1);
            return Choose(history, older) is { } before ? Choose(history, newer) is { } after
                ? TypedResults.Ok(new PolicyDifference(older, newer, ComparePolicies.Changes(before, after))) : NoVersion(newer) : NoVersion(older);
        });
    }

    public static async Task<PolicyPublished?> InForce(IQuerySession session, CancellationToken ct) => await History(session, ct) is [.., var newest] ? newest : null;

    public static IResult Answer(HttpContext http, PolicyPublished published)
    {
        http.Response.Headers.ETag = $"\"{published.Version}\"";
        return TypedResults.Ok(Describe(published));
    }

    public static PolicyDetails Describe(PolicyPublished published) =>
        new(published.Name, published.Version, published.Policy, published.Reason, published.By, published.At);

    private static async Task<IReadOnlyList<PolicyPublished>> History(IQuerySession session, CancellationToken ct) =>
        [.. (await session.Events.FetchStreamAsync(Stream, token: ct)).Select(stored => (PolicyPublished)stored.Data)];

    private static Policy? Choose(IReadOnlyList<PolicyPublished> history, int version) =>
        version == 0 ? new Policy() : history.FirstOrDefault(published => published.Version == version)?.Policy;

    private static IResult None() => Problems.From(new Refusal(
        "policy.none", "No policy was published yet, so nothing is asked of a plan. 'hotpatch policy example' prints one to begin with.", StatusCodes.Status404NotFound));

    private static IResult NoVersion(int version) => Problems.From(new Refusal(
        "policy.not_found", $"The policy has no version {version}. 'hotpatch policy history' lists them.", StatusCodes.Status404NotFound));
}

/// <summary>What changed between two policies, value by value. Pure.</summary>
public static class ComparePolicies
{
    public static IReadOnlyList<PolicyChange> Changes(Policy before, Policy after)
    {
        var old = Values(before);
        var now = Values(after);
        return [.. old.Keys.Union(now.Keys).Order(StringComparer.Ordinal)
            .Where(path => !(old.TryGetValue(path, out var was) && now.TryGetValue(path, out var becomes) && was.GetRawText() == becomes.GetRawText()))
            .Select(path => new PolicyChange(path, old.TryGetValue(path, out var was) ? was : null, now.TryGetValue(path, out var becomes) ? becomes : null))];
    }

    private static SortedDictionary<string, JsonElement> Values(Policy policy)
    {
        var values = new SortedDictionary<string, JsonElement>(StringComparer.Ordinal);
        Flatten("", JsonSerializer.SerializeToElement(policy, ContractJson.Options), values);
        return values;
    }

    private static void Flatten(string path, JsonElement value, SortedDictionary<string, JsonElement> values)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in value.EnumerateObject()) Flatten(path.Length == 0 ? member.Name : $"{path}.{member.Name}", member.Value, values);
                break;
            // A requirement that moved up the list is still the same one: entries go by their name.
            case JsonValueKind.Array when value.EnumerateArray().Any(item => item.ValueKind == JsonValueKind.Object):
                foreach (var (index, item) in value.EnumerateArray().Index()) Flatten($"{path}[{NameOf(item) ?? $"{index}"}]", item, values);
                break;
            default:
                values[path] = value;
                break;
        }
    }

    private static string? NameOf(JsonElement item) =>
        item.TryGetProperty("name", out var name) || item.TryGetProperty("code", out name) || item.TryGetProperty("label", out name) ? name.GetString() : null;
}
