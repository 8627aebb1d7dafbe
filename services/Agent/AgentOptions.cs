using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hotpatch.Agent;

/// <summary>How an agent runs; kept in its state folder, so that <c>run --state DIR</c> alone starts it again.</summary>
public sealed record AgentOptions
{
    public const double ProbeSecondsMax = 86_400;

    public string Gateway { get; init; } = "";
    public string Name { get; init; } = "";
    public Dictionary<string, string> Labels { get; init; } = [];
    public string EnrolmentToken { get; init; } = "";
    public string TrustFolder { get; init; } = "";
    public string Patcher { get; init; } = "";

    /// <summary>Only processes whose working directory lies below this folder; null = the whole machine.</summary>
    public string? Scope { get; init; }

    public double ScanSeconds { get; init; } = 5;

    /// <summary>Seconds after an apply at which each patched process is asked whether it still works.</summary>
    public double[] ProbeSeconds { get; init; } = [0, 1, 3];

    /// <summary>Patches may name commands that prove a process's health; they run as the agent does.</summary>
    public bool AllowCommandProbes { get; init; }

    /// <summary>Restarts a unit where systemd does not run: program and arguments between spaces, <c>{unit}</c> for its name.</summary>
    public string? RestartCommand { get; init; }

    /// <summary>Settings for apt (<c>Dir::Etc::sourcelist=...</c>), each given to it as <c>-o</c>.</summary>
    public string[] AptOptions { get; init; } = [];

    /// <summary>dpkg's database where it is not the system's.</summary>
    public string? DpkgFolder { get; init; }

    /// <summary>The keys that sign permits are taken anew from the Gateway, in this run only.</summary>
    [JsonIgnore] public bool Repin { get; init; }

    [JsonIgnore] public string State { get; init; } = "";

    /// <exception cref="UsageFault">The arguments do not make an agent.</exception>
    public static AgentOptions Parse(IReadOnlyList<string> arguments)
    {
        var state = Value(arguments, "--state") ?? throw new UsageFault("--state DIR is missing: the folder where the agent keeps its identity and journal");
        var file = Path.Combine(state, "agent.json");
        var options = (File.Exists(file) ? Read(file) : new AgentOptions()) with { State = Path.GetFullPath(state) };
        if (arguments.Contains("--apt-option")) options = options with { AptOptions = [] };
        for (var i = 0; i < arguments.Count; i += 2)
        {
            if (arguments[i] is "--repin" or "--allow-command-probes")
            {
                options = arguments[i] == "--repin" ? options with { Repin = true } : options with { AllowCommandProbes = true };
                i--;
                continue;
            }
            if (i + 1 >= arguments.Count) throw new UsageFault($"{arguments[i]} needs a value");
            options = Set(options, arguments[i], arguments[i + 1]);
        }
        options.RequireComplete();
        return options;
    }

    public void Keep()
    {
        Directory.CreateDirectory(State);
        AtomicFile.Write(Path.Combine(State, "agent.json"), JsonSerializer.Serialize(this, AgentJson.Default.AgentOptions), secret: true);
    }

    public static string? Value(IReadOnlyList<string> arguments, string name)
    {
        for (var i = 0; i + 1 < arguments.Count; i++)
            if (arguments[i] == name) return arguments[i + 1];
        return null;
    }

    public static int Usage(string problem)
    {
        Console.Error.WriteLine($"error: {problem}. See 'hotpatch-agent --help'.");
        return 2;
    }

    public static int PrintHelp()
    {
        Console.WriteLine("""
            hotpatch-agent: carries out patch orders on one endpoint and reports what came of them.

              hotpatch-agent run --state DIR [options]    runs until stopped; options are kept in DIR for the next start
                --gateway URL          where orders come from
                --name NAME            unique in the fleet
                --label KEY=VALUE      for rollout targets (repeatable)
                --enrolment-token T    proves that this endpoint may join
                --trust DIR            public keys (*.pub) whose patches are accepted
                --patcher PATH         the hotpatch-patcher executable
                --scope DIR            only processes whose working directory lies below DIR
                --scan-seconds N       how often processes are looked for (default 5)
                --probe-seconds 0,1,3  when a patched process is probed after an apply, where the order does not say
                --allow-command-probes patches may name commands as probes; they run as the agent does
                --restart-command CMD  restarts {unit} after a package update where systemd does not run
                --apt-option NAME=V    a setting for apt, as its own -o (repeatable; all of them are given anew)
                --dpkg-folder DIR      dpkg's database, where it is not the system's
                --repin                take the keys that sign permits anew from the gateway, in this run
              hotpatch-agent journal --state DIR          prints every fact as a JSON line
              hotpatch-agent identity --state DIR         prints the endpoint's id, name and scope as JSON
            """);
        return 0;
    }

    private static AgentOptions Set(AgentOptions options, string name, string value) => name switch
    {
        "--state" => options,
        "--gateway" => options with { Gateway = Uri.TryCreate(value, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? value : throw new UsageFault($"--gateway '{value}' is no http address") },
        "--name" => options with { Name = value },
        "--label" => options with { Labels = WithLabel(options.Labels, value) },
        "--enrolment-token" => options with { EnrolmentToken = value },
        "--trust" => options with { TrustFolder = Path.GetFullPath(value) },
        "--patcher" => options with { Patcher = Path.GetFullPath(value) },
        "--scope" => options with { Scope = Path.GetFullPath(value) },
        "--scan-seconds" => options with { ScanSeconds = Seconds(name, value) },
        "--probe-seconds" => options with { ProbeSeconds = [.. value.Split(',').Select(part => Seconds(name, part, least: 0)).Order()] },
        "--restart-command" => options with { RestartCommand = value.Contains("{unit}", StringComparison.Ordinal) ? value : throw new UsageFault($"--restart-command '{value}' does not say where the unit's name goes: {{unit}}") },
        "--apt-option" => options with { AptOptions = value.Contains('=', StringComparison.Ordinal) ? [.. options.AptOptions, value] : throw new UsageFault($"--apt-option '{value}' is not NAME=VALUE") },
        "--dpkg-folder" => options with { DpkgFolder = Path.GetFullPath(value) },
        _ => throw new UsageFault($"{name} is not known"),
    };

    private void RequireComplete()
    {
        foreach (var (name, value) in new[] { ("--gateway", Gateway), ("--name", Name), ("--enrolment-token", EnrolmentToken), ("--trust", TrustFolder), ("--patcher", Patcher) })
            if (value.Length == 0) throw new UsageFault($"{name} is missing");
        if (!File.Exists(Patcher)) throw new UsageFault($"there is no patcher at {Patcher}");
        if (!Directory.Exists(TrustFolder)) throw new UsageFault($"there is no trust folder at {TrustFolder}");
    }

    private static Dictionary<string, string> WithLabel(Dictionary<string, string> labels, string text)
    {
        var pair = text.Split('=', 2);
        if (pair.Length != 2 || pair[0].Length == 0) throw new UsageFault($"--label '{text}' is not KEY=VALUE");
        return new Dictionary<string, string>(labels) { [pair[0]] = pair[1] };
    }

    private static double Seconds(string name, string text, double least = 0.1) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) && seconds >= least && seconds <= ProbeSecondsMax
            ? seconds
            : throw new UsageFault($"{name} '{text}' is not a number of seconds");

    private static AgentOptions Read(string file)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllText(file), AgentJson.Default.AgentOptions) ?? new AgentOptions();
        }
        catch (JsonException malformed)
        {
            throw new UsageFault($"{file} is not readable ({malformed.Message}); remove it and give all options again");
        }
    }
}

public sealed class UsageFault(string message) : Exception(message);
