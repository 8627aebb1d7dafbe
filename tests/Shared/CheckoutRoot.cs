namespace Hotpatch.Tests;

/// <summary>The working copy that the tests were built from.</summary>
internal static class CheckoutRoot
{
    public static string Path { get; } = Find();

    public static string PathOf(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Hotpatch.sln")))
                return folder.FullName;
        throw new InvalidOperationException($"No Hotpatch.sln above {AppContext.BaseDirectory}");
    }
}
