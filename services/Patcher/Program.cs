using System.Text.Json;
using Hotpatch.Contracts.Patcher;
using Hotpatch.Patcher;

if (args is ["--help" or "-h"])
{
    Console.WriteLine("""
        hotpatch-patcher: the one process that touches other processes' memory.

        Reads one request (JSON) from standard input, answers with one result (JSON) on standard output and ends. It verifies the package's
        signature itself, whoever calls it. It is started by hotpatch-agent and by 'hotpatch apply|status|rollback'.

          {"verb":"scan","scope":"/srv"}
          {"verb":"verify","package":"fix.hpatch","trustFolder":"/etc/hotpatch/trust"}
          {"verb":"apply","pid":4711,"startTicks":0,"package":"fix.hpatch","trustFolder":"/etc/hotpatch/trust"}
          {"verb":"rollBack","pid":4711,"digest":"sha256:..."}
          {"verb":"status","pid":4711}
          {"verb":"attest","pid":4711}

        Pid 0 is the running kernel: apply, rollBack and status then mean its livepatches.

        Exit code 0 when it could answer at all, 2 for a request it cannot read.
        """);
    return 0;
}
PatcherRequest? request;
try
{
    request = JsonSerializer.Deserialize(await Console.In.ReadToEndAsync(), PatcherJson.Default.PatcherRequest);
}
catch (JsonException malformed)
{
    await Console.Error.WriteLineAsync($"error: the request is not readable: {malformed.Message} See --help.");
    return 2;
}
if (request is null)
{
    await Console.Error.WriteLineAsync("error: the request is empty. See --help.");
    return 2;
}
Console.WriteLine(JsonSerializer.Serialize(Answer.To(request), PatcherJson.Default.PatcherResult));
return 0;
