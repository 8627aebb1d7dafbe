using System.CommandLine;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

internal static class EndpointCommand
{
    public static Command Make()
    {
        var list = new Command("list", "All endpoints by name");
        list.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Output.List(parsed, await client.Endpoints(ct), endpoint => endpoint.Name, "No endpoint is enrolled yet.",
                table => table.AddColumns("name", "state", "labels").AddColumn(new TableColumn("processes").RightAligned()).AddColumn(new TableColumn("patched").RightAligned()).AddColumn(new TableColumn("longest stop").RightAligned()).AddColumn("last seen"),
                endpoint => [Output.Text(endpoint.Name), Output.State(endpoint.Connected ? "connected" : "away"), Output.Text(string.Join(",", endpoint.Labels.Select(label => $"{label.Key}={label.Value}"))),
                    $"{endpoint.Binaries.Select(binary => binary.Processes).DefaultIfEmpty().Max()}", $"{endpoint.Patches.Select(patch => patch.Process.Pid).Distinct().Count()}",
                    Output.Micros(endpoint.Patches.Select(patch => patch.StopMicroseconds).DefaultIfEmpty().Max()), Output.Instant(endpoint.LastSeenAt)]);
        });

        var reference = new Argument<string>("endpoint") { Description = "Name or id" };
        var get = new Command("get", "One endpoint: processes, patches, orders") { reference };
        get.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            var endpoint = await client.Endpoint(parsed.GetValue(reference)!, ct);
            if (GlobalOptions.IsJson(parsed))
            {
                Output.Json(endpoint);
                return ExitCodes.Ok;
            }
            Output.Fields(
                ("endpoint", $"[bold]{Output.Text(endpoint.Name)}[/]  {Output.State(endpoint.Connected ? "connected" : "away")}"), ("id", $"{endpoint.Id}"),
                ("labels", Output.Text(string.Join(", ", endpoint.Labels.Select(label => $"{label.Key}={label.Value}")))), ("agent", Output.Text(endpoint.AgentVersion)),
                ("kernel", Output.Text(endpoint.Kernel)), ("last seen", Output.Instant(endpoint.LastSeenAt)), ("journal", $"{endpoint.AcknowledgedSequence} facts stored"));
            if (endpoint.Patches.Count > 0)
                Output.Table(table => table.AddColumns("patch", "process").AddColumn(new TableColumn("stop").RightAligned()).AddColumn("since"),
                    endpoint.Patches.Select(patch => new[] { Output.Short(patch.Digest), Output.Text($"{patch.Process.Pid} {patch.Process.Executable}"), Output.Micros(patch.StopMicroseconds), Output.Instant(patch.Since) }));
            if (endpoint.Orders.Count > 0)
                Output.Table(table => table.AddColumns("order", "patch", "result", "reason", "at"),
                    endpoint.Orders.Select(order => new[] { order.Kind == Contracts.OrderKind.Apply ? "apply" : "roll back", Output.Text(order.PatchName), order.Result is { } result ? Output.State(System.Text.Json.JsonNamingPolicy.CamelCase.ConvertName(result.ToString())) : "open", Output.Text(order.Reason), Output.Instant(order.At) }));
            return ExitCodes.Ok;
        });

        var events = new Command("events", "Everything an endpoint reported, oldest first") { reference };
        events.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return EventList.Show(parsed, await client.EndpointEvents(parsed.GetValue(reference)!, ct));
        });
        var command = new Command("endpoint", "The fleet") { list, get, events };
        command.Aliases.Add("endpoints");
        command.Aliases.Add("ep");
        return command;
    }
}
