using System.Text.RegularExpressions;
using Xunit;

namespace Hotpatch.Tests.Unit.House;

public sealed partial class TheLayout
{
    private const int LinesMax = 400;
    private const int TestLinesMax = 500;
    private const int ReadmeLinesMax = 120;

    private static readonly string[] TopLevel =
    [
        "services", "libs", "tests", "infra", "docker-compose.yml", "Hotpatch.sln", "README.md", "LICENSE",
        ".ci", ".github", ".config", ".editorconfig", ".gitattributes", ".gitignore", ".dockerignore",
        "global.json", "Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props", "nuget.config",
    ];

    private static readonly string[] Code = [".cs", ".razor", ".proto", ".c", ".h", ".sh", ".yml", ".yaml", ".js", ".css"];
    private static readonly string[] Text = [.. Code, ".md", ".json", ".csproj", ".props", ".targets", ".conf", ".tsv", ".Dockerfile", ".diff", ".txt"];

    [Fact]
    public void Keeps_the_top_level_to_the_names_agreed() => Assert.Empty(Checkout.TopLevel().Except(TopLevel));

    [Fact]
    public void Keeps_every_file_readable_in_one_sitting()
    {
        var tooLong =
            from file in FilesOf(Code)
            let lines = Checkout.Lines(file).Length
            where lines > (file.StartsWith("tests/", StringComparison.Ordinal) ? TestLinesMax : LinesMax)
            select $"{file}: {lines} lines";

        Assert.Empty(tooLong);
    }

    [Fact]
    public void Keeps_readmes_short() =>
        Assert.DoesNotContain(Checkout.Files(), file => Path.GetFileName(file) == "README.md" && Checkout.Lines(file).Length > ReadmeLinesMax);

    [Fact]
    public void Commits_no_path_of_somebodys_machine()
    {
        var found =
            from file in FilesOf(Text)
            from line in Checkout.Lines(file)
            where MachinePath().IsMatch(line)
            select $"{file}: {line.Trim()}";

        Assert.Empty(found);
    }

    private static IEnumerable<string> FilesOf(string[] extensions) => Checkout.Files().Where(file => extensions.Contains(Path.GetExtension(file)));

    [GeneratedRegex(@"(?<![\w.:/$}-])/(root|home|work|Users|tmp/wt)/\w")]
    private static partial Regex MachinePath();
}
