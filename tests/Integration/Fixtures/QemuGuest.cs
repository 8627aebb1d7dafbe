using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Hotpatch.Tests.Integration.Fixtures;

/// <summary>What a command in the guest came to.</summary>
internal sealed record GuestAnswer(int Code, string Output);

/// <summary>
/// A virtual machine that runs the distribution's own kernel and answers one shell line after the other over its second serial line. The
/// processor is translated (TCG), so this needs no privilege and no nested virtualisation; it is slow, and its clock is not to be trusted.
/// </summary>
internal sealed class QemuGuest : IDisposable
{
    private const string Mark = "=== ";
    private static readonly TimeSpan LifeMax = TimeSpan.FromMinutes(30);
    private static readonly TimeSpan BootPatience = TimeSpan.FromMinutes(8);
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromMinutes(4);

    private readonly Process _machine;
    private readonly string _console;

    private QemuGuest(Process machine, string console) => (_machine, _console) = (machine, console);

    /// <summary>Everything the guest printed on its console.</summary>
    public string Console => File.Exists(_console) ? File.ReadAllText(_console) : "";

    /// <param name="kernelOptions">Words for the kernel's command line.</param>
    public static QemuGuest Boot(string kernel, string initialFiles, string folder, string kernelOptions = "")
    {
        var console = Path.Combine(folder, $"console-{Guid.CreateVersion7():N}.log");
        string[] arguments =
        [
            // Whatever becomes of the tests, the machine does not outlive them for long.
            $"{LifeMax.TotalSeconds:0}", "qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1", "-m", "256", "-nodefaults", "-display", "none", "-vga", "none", "-monitor", "none", "-nic", "none", "-no-reboot",
            "-serial", $"file:{console}", "-serial", "stdio", "-kernel", kernel, "-initrd", initialFiles, "-append", $"console=ttyS0 quiet panic=-1 {kernelOptions}",
        ];
        var start = new ProcessStartInfo("timeout", arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        var guest = new QemuGuest(Process.Start(start)!, console);
        guest.Read(BootPatience);
        return guest;
    }

    /// <summary>Runs one line of shell in the guest, to its end.</summary>
    public GuestAnswer Run(string line)
    {
        _machine.StandardInput.Write(line + "\n");
        _machine.StandardInput.Flush();
        return Read(AnswerPatience);
    }

    public void Dispose()
    {
        if (!_machine.HasExited) _machine.Kill(entireProcessTree: true);
        _machine.WaitForExit();
        _machine.Dispose();
    }

    private GuestAnswer Read(TimeSpan patience)
    {
        var text = new StringBuilder();
        using var limit = new CancellationTokenSource(patience);
        while (true)
        {
            string? line;
            try
            {
                line = _machine.StandardOutput.ReadLineAsync(limit.Token).AsTask().GetAwaiter().GetResult();
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"The guest did not answer within {patience.TotalMinutes:0} minutes. It said so far: {text}\nIts console:\n{Console}");
            }
            if (line is null) throw new InvalidOperationException($"The virtual machine has ended: {_machine.StandardError.ReadToEnd()}\nIts console:\n{Console}");
            // What a command prints without an end of line stands before the mark.
            var mark = line.LastIndexOf(Mark, StringComparison.Ordinal);
            if (mark >= 0 && int.TryParse(line.AsSpan(mark + Mark.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var code)) return new GuestAnswer(code, text.Append(line, 0, mark).ToString());
            text.Append(line).Append('\n');
        }
    }
}
