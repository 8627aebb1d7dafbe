using System.Xml.Linq;
using Xunit;

namespace Hotpatch.Tests.Unit.House;

public sealed class ProjectReferences
{
    // Who may reference whom. A project of libs/ or services/ that is not here needs a reason, and then a row.
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["libs/Contracts"] = [],
        ["libs/Packaging"] = [],
        ["libs/Trust"] = [],
        ["libs/Rules"] = ["Contracts"],
        ["libs/Client"] = ["Contracts"],
        ["libs/Engine"] = ["Packaging"],
        ["libs/Builder"] = ["Engine", "Packaging"],
        ["libs/Hosting"] = ["Contracts"],
        ["services/Catalog"] = ["Hosting", "Contracts", "Packaging", "Rules"],
        ["services/Rollouts"] = ["Hosting", "Contracts", "Rules"],
        ["services/Gateway"] = ["Hosting", "Contracts", "Rules", "Trust"],
        ["services/Compliance"] = ["Hosting", "Contracts", "Rules"],
        ["services/Standalone"] = ["Catalog", "Rollouts", "Gateway", "Compliance"],
        ["services/Agent"] = ["Trust", "Packaging", "Contracts"],
        ["services/Patcher"] = ["Engine", "Trust", "Packaging", "Contracts"],
        ["services/Cli"] = ["Client", "Builder", "Engine", "Packaging", "Contracts", "Rules", "Trust"],
        ["services/Console"] = ["Client", "Contracts"],
    };

    [Fact]
    public void Follow_the_table()
    {
        var departures =
            from project in Projects()
            from reference in References(project)
            where !Allowed.GetValueOrDefault(Folder(project), []).Contains(reference)
            select $"{Folder(project)} references {reference}";

        Assert.Empty(departures);
    }

    [Fact]
    public void Have_a_row_for_every_project() => Assert.Empty(Projects().Select(Folder).Except(Allowed.Keys));

    [Fact]
    public void Never_point_from_the_privileged_patcher_to_the_network()
    {
        var packages = XDocument.Load(Checkout.PathOf("services/Patcher/Patcher.csproj")).Descendants("PackageReference");

        Assert.DoesNotContain(packages, package => ((string?)package.Attribute("Include"))!.StartsWith("Grpc", StringComparison.Ordinal));
    }

    [Fact]
    public void Are_all_in_the_solution()
    {
        var solution = File.ReadAllText(Checkout.PathOf("Hotpatch.sln")).Replace('\\', '/');

        Assert.DoesNotContain(Checkout.Files(), file => file.EndsWith(".csproj", StringComparison.Ordinal) && !solution.Contains(file, StringComparison.Ordinal));
    }

    private static IEnumerable<string> Projects() =>
        Checkout.Files().Where(file => file.EndsWith(".csproj", StringComparison.Ordinal) && !file.StartsWith("tests/", StringComparison.Ordinal));

    private static string Folder(string project) => Path.GetDirectoryName(project)!;

    private static IEnumerable<string> References(string project) =>
        XDocument.Load(Checkout.PathOf(project)).Descendants("ProjectReference")
            .Select(reference => Path.GetFileNameWithoutExtension(((string?)reference.Attribute("Include"))!.Replace('\\', '/')));
}
