using System.CommandLine;
using System.Text.Json;
using Hotpatch.Client;

namespace Hotpatch.Cli;

/// <summary>Options every verb takes, and the config file behind them: flag before environment before context.</summary>
internal static class GlobalOptions
{
    public static readonly Option<string> Output = MakeOutput();
    public static readonly Option<string?> Server = new("--server") { Description = "One address for all services (or HOTPATCH_SERVER)", Recursive = true };
    public static readonly Option<string?> Token = new("--token") { Description = "Access token (or HOTPATCH_TOKEN)", Recursive = true };
    public static readonly Option<string?> Context = new("--context") { Description = "Named context of the config file", Recursive = true };

    public static void AddTo(RootCommand root)
    {
        root.Options.Add(Output);
        root.Options.Add(Server);
        root.Options.Add(Token);
        root.Options.Add(Context);
    }

    public static bool IsJson(ParseResult parsed) => string.Equals(parsed.GetValue(Output), "json", StringComparison.OrdinalIgnoreCase);

    public static HotpatchClient Client(ParseResult parsed)
    {
        var context = ReadContext(parsed.GetValue(Context));
        var server = parsed.GetValue(Server) ?? Environment.GetEnvironmentVariable("HOTPATCH_SERVER");
        return new HotpatchClient(new HotpatchClientOptions
        {
            Server = server ?? context?.Server,
            Services = server is null ? context?.Services ?? [] : [],
            Token = parsed.GetValue(Token) ?? Environment.GetEnvironmentVariable("HOTPATCH_TOKEN") ?? context?.Token,
            Actor = Environment.GetEnvironmentVariable("HOTPATCH_ACTOR") ?? $"{Environment.UserName}@{Environment.MachineName}",
        }, new TracingHandler());
    }

    private static Option<string> MakeOutput()
    {
        var output = new Option<string>("--output", "-o") { Description = "table, json or name", Recursive = true, DefaultValueFactory = _ => "table" };
        output.AcceptOnlyFromAmong("table", "json", "name");
        return output;
    }

    private static ContextEntry? ReadContext(string? wanted)
    {
        var path = Environment.GetEnvironmentVariable("HOTPATCH_CONFIG")
            ?? Path.Combine(Environment.GetEnvironmentVariable("XDG_CONFIG_HOME") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".config"), "hotpatch", "config.json");
        if (!File.Exists(path)) return wanted is null ? null : throw new CliFault(ExitCodes.Usage, $"There is no config file at {path}, so no context '{wanted}'.", "config.missing");
        ConfigFile? config;
        try
        {
            config = JsonSerializer.Deserialize<ConfigFile>(File.ReadAllText(path), JsonSerializerOptions.Web);
        }
        catch (JsonException malformed)
        {
            throw new CliFault(ExitCodes.Usage, $"The config file {path} is not readable: {malformed.Message}", "config.malformed");
        }
        var name = wanted ?? config?.Current;
        if (name is null) return null;
        return config?.Contexts?.GetValueOrDefault(name)
            ?? throw new CliFault(ExitCodes.Usage, $"The config file {path} has no context '{name}'. It has: {string.Join(", ", config?.Contexts?.Keys.ToArray() ?? [])}.", "config.context");
    }

    private sealed record ConfigFile(string? Current, Dictionary<string, ContextEntry>? Contexts);

    private sealed record ContextEntry(string? Server, Dictionary<string, string>? Services, string? Token);

    /// <summary>One trace a command: what it sets off in every service is found under its id.</summary>
    private sealed class TracingHandler : DelegatingHandler
    {
        private static readonly string Trace = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(16));

        public TracingHandler() : base(new HttpClientHandler()) { }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (!request.Headers.Contains("traceparent"))
                request.Headers.TryAddWithoutValidation("traceparent", $"00-{Trace}-{Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(8))}-01");
            return base.SendAsync(request, cancellationToken);
        }
    }
}
