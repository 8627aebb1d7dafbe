using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Hotpatch.Builder;

/// <summary>Runs the vendor's build. A wrapper in front of the compiler adds what per-function comparison needs; the build itself is not edited.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
internal sealed partial class Toolchain(string workFolder)
{
    private const int ObjectsBetweenReports = 20;
    private const int LogLinesShown = 15;
    private static readonly string[] Compilers = ["cc", "gcc", "g++", "c++", "clang", "clang++", "x86_64-linux-gnu-gcc", "x86_64-linux-gnu-g++"];

    // Each function and datum in a section of its own: then unchanged neighbours do not move, and calls between them are visible.
    // Debug information does not touch the code (GCC tests for that with -fcompare-debug); the layouts of types are read from it.
    public const string SectionFlags = "-ffunction-sections -fdata-sections -g";

    /// <param name="compiled">Told how many objects there are so far, as far as the build's output shows it.</param>
    public async Task Make(string tree, string command, bool sections, string log, Action<int> compiled, CancellationToken ct)
    {
        var path = Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin";
        if (sections) path = $"{WriteWrappers(path)}:{path}";
        await Run(tree, command, path, log, "build.make_failed", "The build command failed", "Run it by hand in the tree until it works; the log has the compiler's own words.", ct, compiled);
    }

    public static async Task Patch(string tree, string diff, string log, CancellationToken ct) =>
        await Run(tree, $"patch -p1 --forward --batch < {Quote(Path.GetFullPath(diff))}", Environment.GetEnvironmentVariable("PATH")!, log,
            "build.diff_rejected", $"The diff {Path.GetFileName(diff)} does not apply to the source tree", "Give the diff that was made for exactly this source version, with paths that -p1 fits.", ct);

    public static async Task<string> Version(CancellationToken ct)
    {
        using var process = Process.Start(new ProcessStartInfo("sh", ["-c", "cc --version 2>/dev/null | head -n1; ld --version 2>/dev/null | head -n1"]) { RedirectStandardOutput = true })!;
        var text = await process.StandardOutput.ReadToEndAsync(ct);
        await process.WaitForExitAsync(ct);
        return text.Length > 0 ? text : throw new BuildRefused("build.no_compiler", "cc", "No C compiler is installed.", "Install gcc or clang, make and patch.");
    }

    private static async Task Run(string folder, string command, string path, string log, string code, string what, string advice, CancellationToken ct, Action<int>? compiled = null)
    {
        var start = new ProcessStartInfo("bash", ["-e", "-o", "pipefail", "-c", command]) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PATH"] = path;
        start.Environment["LC_ALL"] = "C";
        // Many builds put `git describe` into the program: a repository around the work folder is not the vendor's.
        start.Environment["GIT_CEILING_DIRECTORIES"] = Path.GetDirectoryName(Path.GetFullPath(folder));
        using var process = Process.Start(start)!;
        await using (var file = new StreamWriter(log, append: true))
        {
            var gate = new Lock();
            var objects = 0;
            void Keep(object sender, DataReceivedEventArgs line)
            {
                lock (gate)
                {
                    file.WriteLine(line.Data);
                    if (line.Data is not null && Compiles().IsMatch(line.Data) && ++objects % ObjectsBetweenReports == 0) compiled?.Invoke(objects);
                }
            }

            process.OutputDataReceived += Keep;
            process.ErrorDataReceived += Keep;
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            try
            {
                await process.WaitForExitAsync(ct);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                throw;
            }
        }
        if (process.ExitCode == 0) return;
        var tail = string.Join('\n', (await File.ReadAllLinesAsync(log, ct)).Where(line => line.Length > 0).TakeLast(LogLinesShown));
        throw new BuildRefused(code, "", $"{what} (exit code {process.ExitCode}; log {log}). Its last lines:\n{tail}", advice);
    }

    private string WriteWrappers(string path)
    {
        var folder = Path.Combine(workFolder, "compilers");
        Directory.CreateDirectory(folder);
        foreach (var name in Compilers)
        {
            if (path.Split(':').Where(entry => entry != folder).Select(entry => Path.Combine(entry, name)).FirstOrDefault(File.Exists) is not { } real) continue;
            var wrapper = Path.Combine(folder, name);
            File.WriteAllText(wrapper, $"#!/bin/sh\nexec {Quote(real)} \"$@\" {SectionFlags}\n");
            File.SetUnixFileMode(wrapper, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        return folder;
    }

    // "cc ... -c file.c", or what quiet builds print: "CC file.o".
    [GeneratedRegex(@"\s-c\s|^\s*\W*\b(CC|CXX)\b")]
    private static partial Regex Compiles();

    private static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
