using System.Net;
using System.Text;
using System.Text.Json;
using Hotpatch.Catalog;
using Hotpatch.Compliance;
using Hotpatch.Gateway;
using Hotpatch.Hosting;
using Hotpatch.Rollouts;
using Hotpatch.Tests.Integration.Fixtures;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Hotpatch.Tests.Integration.Api;

/// <summary>Every route of every service, found by asking the service for them, is sent what makes no sense.</summary>
public sealed class BadRequests : IDisposable
{
    private static readonly string[] References =
        ["nope", "00000000-0000-0000-0000-000000000000", "%00", "..%2f..%2fetc%2fpasswd", "'%3b drop table mt_events", "%F0%9F%92%A5", new string('x', 5000), "sha256:" + new string('0', 64)];

    private static readonly string[] Queries =
        ["", "?at=yesterday", "?at=9999-99-99", "?after=-1", "?after=nine", "?limit=0", "?limit=-5", "?limit=99999999999999999999", "?patch=%00", "?advisory=%00&at=", "?unknown=1"];

    private static readonly (string Type, string Body)[] Bodies =
    [
        ("application/json", ""), ("application/json", "{"), ("application/json", "null"), ("application/json", "[]"), ("application/json", "\"text\""), ("application/json", "{}"),
        ("application/json", """{"reason":5}"""), ("application/json", """{"reason":""}"""), ("application/json", """{"reason":"\u0000"}"""),
        ("application/json", """{"name":null,"patch":null,"rings":null}"""), ("application/json", """{"name":"x","patch":"x","rings":[null]}"""),
        ("application/json", """{"name":"x","patch":"x","rings":[{"name":"a","size":"1e999"}],"bakeSeconds":-2147483648,"deadlineSeconds":"never"}"""),
        ("application/json", """{"name":"x","patch":"x","rings":[{"name":"a","size":"rest"}],"successPercent":1e308,"failureBudget":99999999999}"""),
        ("application/json", new string('[', 10_000)), ("text/plain", "hello"), ("application/octet-stream", "\u0000\u0001\u0002"), ("application/xml", "<a/>"),
    ];

    private readonly string _folder = Directory.CreateTempSubdirectory("hotpatch-bad-requests-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("catalog")]
    [InlineData("rollouts")]
    [InlineData("gateway")]
    [InlineData("compliance")]
    public async Task Are_answered_with_a_code_and_a_sentence_and_never_a_500(string name)
    {
        ServicePart part = name switch { "catalog" => new CatalogPart(), "rollouts" => new RolloutsPart(), "gateway" => new GatewayPart(), _ => new CompliancePart() };
        await using var service = await RunningService.Start(part,
            $"--Catalog:TrustFolder={_folder}", $"--Catalog:PackageFolder={_folder}", "--Gateway:AgentUrl=http://127.0.0.1:0", "--Gateway:EnrolmentToken=token",
            "--Gateway:CatalogUrl=http://127.0.0.1:9", $"--Gateway:PackageFolder={_folder}");
        var routes = service.Services.GetServices<EndpointDataSource>().SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
            .Where(route => route.RoutePattern.RawText!.StartsWith("/api/v1/", StringComparison.Ordinal)).ToList();

        var refused = 0;
        foreach (var route in routes)
            foreach (var method in route.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods)
                foreach (var request in Variations(method, route.RoutePattern.RawText!))
                    if (await IsRefused(service, request)) refused++;

        Assert.NotEmpty(routes);
        Assert.True(refused > routes.Count, "hardly anything was refused: the requests are not bad enough");
    }

    private static IEnumerable<HttpRequestMessage> Variations(string method, string pattern)
    {
        var paths = pattern.Contains("{reference}", StringComparison.Ordinal) ? References.Select(reference => pattern.Replace("{reference}", reference, StringComparison.Ordinal)) : [pattern];
        foreach (var path in paths)
        {
            if (method == "GET")
            {
                foreach (var query in Queries) yield return new HttpRequestMessage(HttpMethod.Get, path + query);
            }
            else
            {
                foreach (var (type, body) in Bodies)
                    yield return new HttpRequestMessage(new HttpMethod(method), path) { Content = new StringContent(body, Encoding.UTF8, type) };
            }
            yield return new HttpRequestMessage(HttpMethod.Delete, path);
        }
        yield return new HttpRequestMessage(HttpMethod.Get, $"{pattern}/and/no/further");
    }

    private static async Task<bool> IsRefused(RunningService service, HttpRequestMessage request)
    {
        var what = $"{request.Method} {request.RequestUri} {(request.Content is null ? "" : await request.Content.ReadAsStringAsync())}";
        var response = await service.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        if (response.IsSuccessStatusCode) return false;
        var text = await response.Content.ReadAsStringAsync();
        // A request line that HTTP itself forbids never reaches a route.
        if (response.StatusCode is HttpStatusCode.BadRequest && text.Length == 0) return true;
        Assert.True((int)response.StatusCode is >= 400 and < 500, $"{what}: {(int)response.StatusCode} {text}");
        Assert.True(response.Content.Headers.ContentType?.MediaType == "application/problem+json", $"{what}: {response.Content.Headers.ContentType} {text}");
        var problem = JsonDocument.Parse(text).RootElement;
        Assert.Matches("^[a-z0-9_.]+$", problem.GetProperty("code").GetString());
        var detail = problem.GetProperty("detail").GetString()!;
        Assert.True(detail.Length > 20 && detail.EndsWith('.'), $"{what}: '{detail}' is no sentence");
        Assert.DoesNotContain("   at ", text, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", text, StringComparison.Ordinal);
        return true;
    }
}
