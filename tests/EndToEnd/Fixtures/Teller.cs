using System.Globalization;
using System.Net.Sockets;

namespace Hotpatch.Tests.EndToEnd.Fixtures;

/// <summary>The small server of tests/targets/teller as the thing to patch: its shipped program, and packages of its fixes.</summary>
internal static class Teller
{
    public const string Vulnerable = "+OK", Fixed = "-ERR Bad data format";

    private static readonly string Sources = CheckoutRoot.PathOf("tests", "targets", "teller");

    public static string Shipped(Machine machine) => Path.Combine(machine.Folder, "teller", "shipped", "teller");

    /// <summary>The answer to a corrupt RESTORE: "+OK" from vulnerable code, an error from fixed code.</summary>
    public static string Prove(int port) => Say(port, "*4\r\n$7\r\nRESTORE\r\n$5\r\nproof\r\n$1\r\n0\r\n$4\r\n\u00c8abc\r\n");

    public static string Say(int port, string request)
    {
        using var client = new TcpClient("127.0.0.1", port);
        client.ReceiveTimeout = 5000;
        var stream = client.GetStream();
        stream.Write([.. request.Select(letter => (byte)letter)]);
        using var reader = new StreamReader(stream);
        return reader.ReadLine() ?? "";
    }

    public static void Make(Machine machine)
    {
        Copy(Path.Combine(machine.Folder, "teller", "source"));
        BuildInto(Shipped(machine), Copy(Path.Combine(machine.Folder, "teller", "vendor")));
    }

    /// <summary>A source tree of its own.</summary>
    /// <param name="edition">Text that the program carries, which makes it another binary with another build-id; null = the plain one.</param>
    public static string Copy(string folder, string? edition = null)
    {
        Directory.CreateDirectory(folder);
        foreach (var file in (string[])["teller.c", "Makefile"]) File.Copy(Path.Combine(Sources, file), Path.Combine(folder, file));
        if (edition is not null) File.AppendAllText(Path.Combine(folder, "teller.c"), $"\n__attribute__((used)) static const char edition[] = \"{edition}\";\n");
        return folder;
    }

    /// <summary>An edition of its own for one test: the fleet of the others runs another binary and is meant by none of its plans.</summary>
    /// <returns>The source to build patches from, and the shipped program.</returns>
    public static (string Source, string Program) Edition(Machine machine, string name)
    {
        var folder = Path.Combine(machine.Folder, "editions", name);
        var program = Path.Combine(folder, "old", "teller");
        BuildInto(program, Copy(Path.Combine(folder, "old-source"), name));
        return (Copy(Path.Combine(folder, "source"), name), program);
    }

    /// <summary>As a distribution does it: built, and stripped.</summary>
    public static void BuildInto(string program, string source)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(program)!);
        RunningProgram.Run("make", ["teller"], source, new Dictionary<string, string>()).Succeed();
        RunningProgram.Run("strip", ["-o", program, "teller"], source, new Dictionary<string, string>()).Succeed();
    }

    /// <summary>Repairs a source tree.</summary>
    public static void Fix(string source) => RunningProgram.Run("patch", ["-p1", "-i", Path.Combine(Sources, "fix.diff")], source, new Dictionary<string, string>()).Succeed();

    /// <summary>Builds a package from a diff of the teller, and signs it.</summary>
    /// <param name="diff">fix.diff, or bad-fix.diff, which breaks the health probe.</param>
    /// <returns>Its file.</returns>
    public static string Package(Machine machine, string name, int level, string diff = "fix.diff", bool signed = true)
    {
        var file = Package(machine, Path.Combine(machine.Folder, "teller", "source"), Shipped(machine), name, level, diff);
        if (signed) machine.Hotpatch("sign", file, "--key", machine.KeyFile).Succeed();
        return file;
    }

    /// <summary>The same from another tree, unsigned.</summary>
    /// <param name="more">Further arguments of the build.</param>
    public static string Package(Machine machine, string source, string shipped, string name, int level, string diff, params string[] more)
    {
        var file = Path.Combine(machine.Folder, "patches", $"{name}.hpatch");
        machine.Hotpatch(["build", "--source", source, "--diff", Path.Combine(Sources, diff), "--make", "make teller", "--program", "teller",
            "--shipped", shipped, "--name", name, "--level", level.ToString(CultureInfo.InvariantCulture), "--probe", @"ping=tcp:0:PING\r\n:+PONG",
            "--work", Path.Combine(machine.Folder, "work"), "--out", file, .. more]).Succeed();
        return file;
    }
}
