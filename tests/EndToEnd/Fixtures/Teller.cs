using System.Globalization;

namespace Hotpatch.Tests.EndToEnd.Fixtures;

/// <summary>The small server of tests/targets/teller as the thing to patch: its shipped program, and packages of its fixes.</summary>
internal static class Teller
{
    public const string Vulnerable = "+OK", Fixed = "-ERR Bad data format";

    private static readonly string Sources = CheckoutRoot.PathOf("tests", "targets", "teller");

    public static string Shipped(Machine machine) => Path.Combine(machine.Folder, "teller", "shipped", "teller");

    public static void Make(Machine machine)
    {
        foreach (var folder in (string[])["source", "vendor"])
        {
            var into = Directory.CreateDirectory(Path.Combine(machine.Folder, "teller", folder)).FullName;
            foreach (var file in (string[])["teller.c", "Makefile"]) File.Copy(Path.Combine(Sources, file), Path.Combine(into, file));
        }
        Directory.CreateDirectory(Path.GetDirectoryName(Shipped(machine))!);
        var vendor = Path.Combine(machine.Folder, "teller", "vendor");
        RunningProgram.Run("make", ["teller"], vendor, new Dictionary<string, string>()).Succeed();
        RunningProgram.Run("strip", ["-o", Shipped(machine), "teller"], vendor, new Dictionary<string, string>()).Succeed();
    }

    /// <summary>Builds a package from a diff of the teller, and signs it.</summary>
    /// <param name="diff">fix.diff, or bad-fix.diff, which breaks the health probe.</param>
    /// <returns>Its file.</returns>
    public static string Package(Machine machine, string name, int level, string diff = "fix.diff", bool signed = true)
    {
        var file = Path.Combine(machine.Folder, "patches", $"{name}.hpatch");
        machine.Hotpatch("build", "--source", Path.Combine(machine.Folder, "teller", "source"), "--diff", Path.Combine(Sources, diff), "--make", "make teller", "--program", "teller",
            "--shipped", Shipped(machine), "--name", name, "--level", level.ToString(CultureInfo.InvariantCulture), "--probe", @"ping=tcp:0:PING\r\n:+PONG",
            "--work", Path.Combine(machine.Folder, "work"), "--out", file).Succeed();
        if (signed) machine.Hotpatch("sign", file, "--key", machine.KeyFile).Succeed();
        return file;
    }
}
