using System.Text.RegularExpressions;
using Xunit;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Hotpatch.Tests.Unit.House;

public sealed partial class TheComposeFile
{
    private static readonly string[] Supporting = ["postgres", "rabbitmq", "otel-collector", "proxy"];
    private readonly Dictionary<string, Dictionary<object, object>> _services = Read();

    [Fact]
    public void Has_the_services_of_the_list_and_those_they_lean_on()
    {
        var always = _services.Where(service => !service.Value.ContainsKey("profiles")).Select(service => service.Key);

        Assert.Equal(ListedService.All().Select(listed => listed.Name).Concat(Supporting).Order(), always.Order());
    }

    [Fact]
    public void Gives_each_service_its_listed_project_and_port()
    {
        foreach (var listed in ListedService.All())
        {
            var service = _services[listed.Name];
            var build = (Dictionary<object, object>)service["build"];
            Assert.Equal(Path.GetFileName(listed.Project), ((Dictionary<object, object>)build["args"])["PROJECT"]);
            Assert.Equal(["--urls", $"http://0.0.0.0:{listed.Port}"], Strings(service["command"]));
            Assert.Equal([listed.Port], Strings(service["expose"]));
        }
    }

    [Fact]
    public void Opens_to_the_network_only_the_agents_port()
    {
        foreach (var (name, service) in _services)
        {
            var agents = ListedService.All().SingleOrDefault(listed => listed.Name == name)?.AgentsPort;
            var ports = service.TryGetValue("ports", out var value) ? Strings(value) : [];
            var open = ports.Where(port => !port.StartsWith("127.0.0.1:", StringComparison.Ordinal));
            Assert.Equal(agents is null ? [] : [$"{agents}:{agents}"], open);
            if (agents is not null) Assert.EndsWith($":{agents}", Environment(service)["Gateway__AgentUrl"]);
        }
    }

    [Fact]
    public void Sets_for_each_service_the_names_that_the_demo_sets()
    {
        var script = File.ReadAllText(Checkout.PathOf("infra/demo/services.sh"));
        var demo = ExportedName().Matches(script).Select(match => match.Groups[1].Value).Distinct().Order().ToList();

        foreach (var listed in ListedService.All())
            Assert.Equal(demo, Environment(_services[listed.Name]).Keys.Order());
    }

    [Fact]
    public void Has_a_proxy_that_knows_every_service_by_its_port()
    {
        var upstreams = UpstreamServer().Matches(File.ReadAllText(Checkout.PathOf("infra/docker/proxy.conf"))).Select(match => match.Groups[1].Value);

        Assert.Equal(ListedService.All().Select(listed => $"{listed.Name}:{listed.Port}").Order(), upstreams.Order());
    }

    [Fact]
    public void Mounts_and_builds_only_files_that_exist()
    {
        foreach (var service in _services.Values)
        {
            if (service.TryGetValue("build", out var build))
                Assert.True(File.Exists(Checkout.PathOf((string)((Dictionary<object, object>)build)["dockerfile"])));
            foreach (var mount in service.TryGetValue("volumes", out var volumes) ? Strings(volumes) : [])
                if (mount.StartsWith("./infra", StringComparison.Ordinal))
                    Assert.True(File.Exists(Checkout.PathOf(mount.Split(':')[0])), mount);
        }
    }

    private static Dictionary<string, Dictionary<object, object>> Read()
    {
        using var text = File.OpenText(Checkout.PathOf("docker-compose.yml"));
        var file = new DeserializerBuilder().Build().Deserialize<Dictionary<string, object>>(new MergingParser(new Parser(text)));
        return ((Dictionary<object, object>)file["services"]).ToDictionary(entry => (string)entry.Key, entry => (Dictionary<object, object>)entry.Value);
    }

    private static IEnumerable<string> Strings(object list) => ((List<object>)list).Cast<string>();

    private static Dictionary<string, string> Environment(Dictionary<object, object> service) =>
        ((Dictionary<object, object>)service["environment"]).ToDictionary(entry => (string)entry.Key, entry => (string)entry.Value);

    [GeneratedRegex(@"\b([A-Z][A-Za-z]+__[A-Za-z]+)=")]
    private static partial Regex ExportedName();

    [GeneratedRegex(@"^upstream .*server ([a-z-]+:\d+);", RegexOptions.Multiline)]
    private static partial Regex UpstreamServer();
}
