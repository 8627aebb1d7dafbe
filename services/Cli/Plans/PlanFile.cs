using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Api;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Hotpatch.Cli.Plans;

/// <summary>
/// A plan as a file, YAML or JSON: the members of <see cref="PlanRolloutRequest"/> by their names in the API, durations (<c>15m</c>) where
/// they are seconds, rings also as <c>NAME:SIZE</c>. Everything that is not understood is told at once, each with its line.
/// </summary>
internal static class PlanFile
{
    private const int BytesMax = 1024 * 1024;

    public static PlanRolloutRequest Read(string path)
    {
        if (!File.Exists(path)) throw new CliFault(ExitCodes.NotFound, $"There is no file {path}. 'hotpatch rollout plan --example' prints one to begin with.", "file.missing");
        if (new FileInfo(path).Length > BytesMax) throw new CliFault(ExitCodes.Usage, $"{path} is larger than a plan can be ({BytesMax} bytes).", "plan.malformed");
        return Parse(File.ReadAllText(path), path);
    }

    /// <param name="name">Of the file, for messages.</param>
    public static PlanRolloutRequest Parse(string text, string name)
    {
        var typed = new TypedYaml();
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(text));
            if (stream.Documents.Count != 1) throw new CliFault(ExitCodes.Usage, $"{name} holds {stream.Documents.Count} documents; a plan is one. 'hotpatch rollout plan --example' prints one.", "plan.malformed");
            var json = typed.Convert(stream.Documents[0].RootNode, typeof(PlanRolloutRequest), "the plan");
            if (typed.Problems.Count > 0) throw Malformed(name, typed.Problems);
            return json.Deserialize<PlanRolloutRequest>(ContractJson.Options)!;
        }
        catch (YamlException malformed)
        {
            throw Malformed(name, [$"line {malformed.Start.Line}: {malformed.Message.TrimEnd('.')}."]);
        }
        catch (JsonException wrong)
        {
            throw Malformed(name, [$"{wrong.Path}: the value is not what belongs there."]);
        }
    }

    private static CliFault Malformed(string name, List<string> problems) => new(ExitCodes.Usage, problems is [var only]
        ? $"{name}, {only}"
        : string.Join('\n', [$"{name} has {problems.Count} problems.", .. problems.Select(problem => $"- {problem}")]), "plan.malformed");
}
