using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Hotpatch.Contracts;
using Spectre.Console;

namespace Hotpatch.Cli;

/// <summary>Data to standard output: tables for people, JSON for machines. Everything else goes to standard error.</summary>
internal static class Output
{
    private static readonly JsonSerializerOptions Readable = MakeReadable();

    public static IAnsiConsole Out { get; } = Make(Console.Out, Console.IsOutputRedirected);
    public static IAnsiConsole Error { get; } = Make(Console.Error, Console.IsErrorRedirected);

    public static void Json<T>(T value) => Console.WriteLine(JsonSerializer.Serialize(value, Readable));

    public static void JsonLine<T>(T value) => Console.WriteLine(JsonSerializer.Serialize(value, ContractJson.Options));

    /// <summary>A list in the form asked for.</summary>
    public static int List<T>(ParseResult parsed, IReadOnlyCollection<T> items, Func<T, string> name, string empty, Action<Table> columns, Func<T, string[]> row)
    {
        switch (parsed.GetValue(GlobalOptions.Output))
        {
            case "json":
                Json(items);
                break;
            case "name":
                foreach (var item in items) Console.WriteLine(name(item));
                break;
            default:
                if (items.Count == 0) Error.MarkupLine($"[grey]{Markup.Escape(empty)}[/]");
                else Table(columns, items.Select(row));
                break;
        }
        return ExitCodes.Ok;
    }

    public static void Table(Action<Table> columns, IEnumerable<string[]> rows)
    {
        var table = new Table().Border(TableBorder.Simple);
        columns(table);
        foreach (var row in rows) table.AddRow(row);
        Out.Write(table);
    }

    public static void Fields(params (string Name, string? Value)[] fields)
    {
        var width = fields.Max(field => field.Name.Length);
        foreach (var (name, value) in fields)
            if (value is not null) Out.MarkupLine($"[grey]{name.PadRight(width)}[/]  {value}");
    }

    public static string Text(string? text) => Markup.Escape(text ?? "");

    public static string Number(double number) => number.ToString("N0", CultureInfo.InvariantCulture);

    public static string Instant(DateTimeOffset? at) => at?.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "";

    public static string Micros(int microseconds) => microseconds == 0 ? "" : $"{Number(microseconds)} µs";

    public static string Short(string digest) => digest.Length > 19 ? digest[..19] : digest;

    /// <summary>A state as icon, word and colour: never the colour alone.</summary>
    public static string State(string state) => state switch
    {
        "completed" or "compliant" or "healthy" or "published" or "pass" or "connected" or "active" or "updated" => $"[green]✔ {state}[/]",
        "applying" or "baking" or "started" or "rollingBack" or "wait" => $"[blue]◐ {state}[/]",
        "paused" or "planned" or "inconclusive" or "promoted" or "blocked" or "waiting" or "waived" or "scheduled" or "unknown" => $"[yellow]‖ {state}[/]",
        "failed" or "rolledBack" or "halted" or "nonCompliant" or "unhealthy" or "faulted" or "refused" or "revoked" or "fail" or "rollbackFaulted" or "timedOut" or "updateFailed" or "denied" or "superseded" => $"[red]✖ {state}[/]",
        _ => $"[grey]◌ {state}[/]",
    };

    private static IAnsiConsole Make(TextWriter writer, bool redirected)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) });
        if (redirected) console.Profile.Width = 400;        // what another program reads is never wrapped
        return console;
    }

    private static JsonSerializerOptions MakeReadable()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web) { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        ContractJson.Configure(options);
        return options;
    }
}
