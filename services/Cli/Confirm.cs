using Spectre.Console;

namespace Hotpatch.Cli;

/// <summary>Dangerous verbs ask, and the answer is no unless somebody says yes; without a terminal they need --yes.</summary>
internal static class Confirm
{
    public static async Task Ask(string verb, string reference, CancellationToken ct)
    {
        if (Console.IsInputRedirected) throw new CliFault(ExitCodes.Usage, $"'{verb}' asks before it acts, and there is no terminal. Add --yes if it is meant.", "usage.confirm");
        if (!await new ConfirmationPrompt($"{verb} [bold]{Output.Text(reference)}[/]?") { DefaultValue = false }.ShowAsync(Output.Error, ct))
            throw new CliFault(ExitCodes.Declined, "Declined; nothing was changed.");
    }
}
