using System.Diagnostics;

namespace Hotpatch.Tests.Fuzz.Corpus;

/// <summary>ELF files to start from: some compiled here, some of the distribution. Compiled once a process.</summary>
public static class CompiledPrograms
{
    private const int SystemFileBytesMax = 40 << 10, SystemFilesMax = 6;

    /// <summary>What a patch replaces, with every way to refer to something that the linker knows.</summary>
    private const string Replacement = """
        extern int counter;
        extern __thread int per_thread;
        static __thread volatile int own_thread;
        int helper(int);
        int outside(const char *);
        extern int maybe(int) __attribute__((weak));
        static int calls;
        int fresh[64];
        static const char *const names[] = { "one", "two", "three" };
        __attribute__((noinline)) static int twice(int x) { calls += x; return x * 2 + fresh[x & 63]; }
        int companion(int);
        int replaced(int x)
        {
            per_thread++;
            counter += helper(x) + own_thread;
            if (maybe) counter += maybe(x);
            switch (x) { case 1: counter++; break; case 2: counter += 7; break; case 3: outside(names[1]); break; case 4: counter = 3; break; case 5: counter ^= x; break; }
            return twice(x) + companion(x) + outside(names[x % 3]);
        }
        """;

    private const string Companion = """
        extern int counter;
        int companion_data[4] = { 1, 2, 3, 4 };
        int companion(int x) { return counter + companion_data[x & 3]; }
        """;

    private const string Running = """
        int counter;
        __thread int per_thread = 3;
        static __thread volatile int own_thread = 4;
        int helper(int x) { return x + own_thread; }
        int outside(const char *s) { return s[0]; }
        int maybe(int x) { return x; }
        void *__tls_get_addr(void *where) { return where; }
        int replaced(int x) { per_thread++; return helper(x); }
        int main(void) { return replaced(counter) & outside("x"); }
        """;

    private const string Versioned = "int f_old(void) { return 1; } int f_new(void) { return 2; }\n"
        + "__asm__(\".symver f_old,f@V1\"); __asm__(\".symver f_new,f@@V2\");\n";

    private static readonly Lazy<CompiledFiles> Built = new(CompileAll);

    /// <summary>The program that the patch object is linked against; at a fixed address, not stripped.</summary>
    public static byte[] RunningProgram => Built.Value.Running;

    /// <summary>Relocatable objects that define <c>replaced</c> and call what <see cref="RunningProgram"/> has.</summary>
    public static IReadOnlyList<byte[]> Replacements => Built.Value.Replacements;

    /// <summary>An object that the replacements lean on.</summary>
    public static byte[] CompanionObject => Built.Value.Companion;

    /// <summary>Programs and libraries, some of them stripped, one with hidden symbol versions.</summary>
    public static IReadOnlyList<byte[]> Programs => Built.Value.Programs;

    private sealed record CompiledFiles(byte[] Running, IReadOnlyList<byte[]> Replacements, byte[] Companion, IReadOnlyList<byte[]> Programs);

    /// <summary>What gcc makes of one file, <c>in.c</c>, and a linker's version script where there is one (<c>versions</c>).</summary>
    public static byte[] Compile(string source, string flags, string versions = "")
    {
        var folder = Directory.CreateTempSubdirectory("hotpatch-corpus-");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "in.c"), source);
            File.WriteAllText(Path.Combine(folder.FullName, "versions"), versions);
            Gcc(folder.FullName, $"{flags} -o out in.c");
            return File.ReadAllBytes(Path.Combine(folder.FullName, "out"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>A library whose <c>f</c> has an old, hidden version and a default one.</summary>
    public static byte[] VersionedLibrary() => Compile(Versioned, "-O2 -fPIC -shared -Wl,--version-script=versions", "V1 { f; }; V2 { f; } V1;");

    private static CompiledFiles CompileAll()
    {
        var running = Compile(Running, "-O1 -no-pie -fno-pie -rdynamic");
        return new CompiledFiles(
            running,
            [
                Compile(Replacement, "-c -O2 -fPIC -ffunction-sections -fdata-sections"),
                Compile(Replacement, "-c -O1 -fno-pie -ffunction-sections"),
                Compile(Replacement, "-c -O0 -fPIE -g0"),
                Compile(Replacement, "-c -O2 -fno-pie -mcmodel=large"),
            ],
            Compile(Companion, "-c -O2 -fPIE -ffunction-sections"),
            [
                running,
                Compile(Running, "-O2 -pie -fPIE -s"),
                VersionedLibrary(),
                Compile("void _start(void) { for (;;) { } }", "-O2 -static -nostdlib"),
                .. SystemFiles(),
            ]);
    }

    private static IEnumerable<byte[]> SystemFiles() =>
        Directory.EnumerateFiles("/usr/lib/x86_64-linux-gnu", "*.so*").Order(StringComparer.Ordinal)
            .Where(file => new FileInfo(file) is { LinkTarget: null, Length: > 4096 and < SystemFileBytesMax })
            .Select(File.ReadAllBytes).Where(bytes => bytes.AsSpan().StartsWith((ReadOnlySpan<byte>)[0x7f, (byte)'E', (byte)'L', (byte)'F', 2])).Take(SystemFilesMax);

    private static void Gcc(string folder, string arguments)
    {
        using var gcc = Process.Start(new ProcessStartInfo("gcc", arguments) { WorkingDirectory = folder, RedirectStandardError = true })!;
        var said = gcc.StandardError.ReadToEnd();
        gcc.WaitForExit();
        if (gcc.ExitCode != 0) throw new InvalidOperationException($"gcc {arguments}: {said}");
    }
}
