using System.Text.Json;
using Hotpatch.Contracts.Patcher;

namespace Hotpatch.Tests.Unit.Agent;

/// <summary>
/// A program in the patcher's place: for each verb it answers with what the test has put there, and it keeps the requests. An apply or roll
/// back that is "done" changes what the next status says.
/// </summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
internal sealed class FakePatcher
{
    private const string Script = """
        #!/usr/bin/env bash
        set -euo pipefail
        cd "$(dirname "${BASH_SOURCE[0]}")"
        request=$(cat)
        printf '%s\n' "$request" >> requests
        verb=$(sed 's/.*"verb":"\([a-zA-Z]*\)".*/\1/' <<< "$request")
        cat "$verb.json"
        if grep -q '"outcome":"done"' "$verb.json"; then
            case $verb in
                apply) cp held.json status.json ;;
                rollBack) cp empty.json status.json ;;
            esac
        fi
        """;

    private readonly string _folder;

    public FakePatcher(string folder)
    {
        _folder = folder;
        Directory.CreateDirectory(folder);
        File.WriteAllText(Program, Script);
        File.SetUnixFileMode(Program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var empty = new PatcherResult { Outcome = PatcherOutcome.Done, Applied = [] };
        Put("empty", empty);
        Put("status", empty);
        Answers(PatcherVerb.Apply, new PatcherResult { Outcome = PatcherOutcome.Done, Sites = 1 });
        Answers(PatcherVerb.RollBack, new PatcherResult { Outcome = PatcherOutcome.Done, Sites = 1 });
    }

    public string Program => Path.Combine(_folder, "patcher");

    /// <summary>All that it was asked, in order.</summary>
    public IReadOnlyList<PatcherRequest> Requests() =>
        [.. File.ReadLines(Path.Combine(_folder, "requests")).Select(line => JsonSerializer.Deserialize(line, PatcherJson.Default.PatcherRequest)!)];

    public IReadOnlyList<PatcherRequest> Requests(PatcherVerb verb) => [.. Requests().Where(request => request.Verb == verb)];

    public void Answers(PatcherVerb verb, PatcherResult result) => Put(JsonSerializer.Serialize(verb).Trim('"'), result);

    /// <summary>What status says after an apply.</summary>
    public void Holds(AppliedPatch patch) => Put("held", new PatcherResult { Outcome = PatcherOutcome.Done, Applied = [patch] });

    private void Put(string name, PatcherResult result) => File.WriteAllText(Path.Combine(_folder, $"{name}.json"), JsonSerializer.Serialize(result, PatcherJson.Default.PatcherResult) + "\n");
}
