using Xunit;

namespace Hotpatch.Tests.Unit.House;

/// <summary>The working copy that the tests were built from.</summary>
internal static class Checkout
{
    private static readonly string[] NotOurs = ["bin", "obj", ".git", ".state", "artifacts", "TestResults", ".vs", ".idea", "node_modules"];

    public static string Root => CheckoutRoot.Path;

    public static string PathOf(string relative) => Path.Combine(Root, relative);

    public static string[] Lines(string relative) => File.ReadAllLines(PathOf(relative));

    /// <summary>Names at the top level, without what builds and version control leave there.</summary>
    public static IEnumerable<string> TopLevel() =>
        Directory.EnumerateFileSystemEntries(Root).Select(entry => Path.GetFileName(entry)).Where(IsOurs);

    /// <summary>Every file of the project, relative to the root.</summary>
    public static IEnumerable<string> Files() => FilesBelow(Root).Select(file => Path.GetRelativePath(Root, file));

    private static IEnumerable<string> FilesBelow(string folder) =>
        Directory.EnumerateFiles(folder).Where(file => IsOurs(Path.GetFileName(file)))
            .Concat(Directory.EnumerateDirectories(folder).Where(inner => IsOurs(Path.GetFileName(inner))).SelectMany(FilesBelow));

    private static bool IsOurs(string name) => !NotOurs.Contains(name) && !name.EndsWith(".user", StringComparison.Ordinal);
}

/// <summary>A row of <c>infra/services.tsv</c>.</summary>
internal sealed record ListedService(string Name, string Project, string Port, string? AgentsPort)
{
    public static IReadOnlyList<ListedService> All() =>
        [.. Checkout.Lines("infra/services.tsv").Where(line => line.Length > 0 && line[0] != '#').Select(Parse)];

    private static ListedService Parse(string line)
    {
        var column = line.Split('\t');
        Assert.Equal(4, column.Length);
        return new(column[0], column[1], column[2], column[3] == "-" ? null : column[3]);
    }
}
