using System.CommandLine;
using Hotpatch.Contracts.Api;
using Spectre.Console;

namespace Hotpatch.Cli.Commands;

internal static class EndpointCommand
{
    public static Command Make()
    {
        var all = new Option<bool>("--all") { Description = "Decommissioned ones too" };
        var list = new Command("list", "All endpoints by name") { all };
        list.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Output.List(parsed, await client.Endpoints(parsed.GetValue(all), ct), endpoint => endpoint.Name, "No endpoint is enrolled yet.",
                table => table.AddColumns("name", "state", "labels").AddColumn(new TableColumn("processes").RightAligned()).AddColumn(new TableColumn("patched").RightAligned()).AddColumn(new TableColumn("longest stop").RightAligned()).AddColumn("last seen"),
                endpoint => [Output.Text(endpoint.Name), Output.State(StateOf(endpoint)), Output.Text(string.Join(",", endpoint.Labels.Select(label => $"{label.Key}={label.Value}"))),
                    $"{endpoint.Binaries.Select(binary => binary.Processes).DefaultIfEmpty().Max()}", $"{endpoint.Patches.Select(patch => patch.Process.Pid).Distinct().Count()}",
                    Output.Micros(endpoint.Patches.Select(patch => patch.StopMicroseconds).DefaultIfEmpty().Max()), Output.Instant(endpoint.LastSeenAt)]);
        });

        var reference = new Argument<string>("endpoint") { Description = "Name or id" };
        var get = new Command("get", "One endpoint: processes, patches, orders") { reference };
        get.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            var endpoint = await client.Endpoint(parsed.GetValue(reference)!, ct);
            return Show(parsed, endpoint);
        });

        var events = new Command("events", "Everything an endpoint reported, oldest first") { reference };
        events.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return EventList.Show(parsed, await client.EndpointEvents(parsed.GetValue(reference)!, ct));
        });
        var command = new Command("endpoint", "The fleet") { list, get, events, Decommission(), CancelOrder() };
        command.Aliases.Add("endpoints");
        command.Aliases.Add("ep");
        return command;
    }

    private static Command Decommission()
    {
        var reference = new Argument<string>("endpoint") { Description = "Name or id" };
        var reason = new Option<string>("--reason", "-m") { Description = "Why; it goes on record", Required = true };
        var command = new Command("decommission", "Take an endpoint out of the fleet for good; its history stays") { reference, reason };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Show(parsed, await client.DecommissionEndpoint(parsed.GetValue(reference)!, parsed.GetValue(reason)!, ct));
        });
        return command;
    }

    private static Command CancelOrder()
    {
        var reference = new Argument<string>("endpoint") { Description = "Name or id" };
        var order = new Argument<Guid>("order") { Description = "Id of an order that has not begun; 'endpoint get' shows it" };
        var reason = new Option<string>("--reason", "-m") { Description = "Why; it goes on record", Required = true };
        var command = new Command("cancel-order", "Take back one endpoint's order before it begins") { reference, order, reason };
        command.SetAction(async (parsed, ct) =>
        {
            using var client = GlobalOptions.Client(parsed);
            return Show(parsed, await client.CancelOrder(parsed.GetValue(reference)!, parsed.GetValue(order), parsed.GetValue(reason)!, ct));
        });
        return command;
    }

    private static string StateOf(EndpointDetails endpoint) => endpoint.DecommissionedAt is not null ? "decommissioned" : endpoint.Connected ? "connected" : "away";

    private static int Show(ParseResult parsed, EndpointDetails endpoint)
    {
        if (GlobalOptions.IsJson(parsed))
        {
            Output.Json(endpoint);
            return ExitCodes.Ok;
        }
        Output.Fields(
            ("endpoint", $"[bold]{Output.Text(endpoint.Name)}[/]  {Output.State(StateOf(endpoint))}"), ("id", $"{endpoint.Id}"),
            ("labels", Output.Text(string.Join(", ", endpoint.Labels.Select(label => $"{label.Key}={label.Value}")))), ("agent", Output.Text(endpoint.AgentVersion)),
            ("machine", Output.Text(string.Join(", ", (endpoint.Traits ?? new Dictionary<string, string>()).Select(trait => $"{trait.Key}={trait.Value}")))), ("kernel", Output.Text(endpoint.Kernel)), ("last seen", Output.Instant(endpoint.LastSeenAt)), ("journal", $"{endpoint.AcknowledgedSequence} facts stored"));
        if (endpoint.Patches.Count > 0)
            Output.Table(table => table.AddColumns("patch", "process").AddColumn(new TableColumn("stop").RightAligned()).AddColumn("since"),
                endpoint.Patches.Select(patch => new[] { Output.Short(patch.Digest), Output.Text($"{patch.Process.Pid} {patch.Process.Executable}"), Output.Micros(patch.StopMicroseconds), Output.Instant(patch.Since) }));
        if (endpoint.Orders.Count > 0)
            Output.Table(table => table.AddColumns("order", "patch", "result", "reason", "at", "id"),
                endpoint.Orders.Select(order => new[] { order.Kind switch { Contracts.OrderKind.Apply => "apply", Contracts.OrderKind.RollBack => "roll back", _ => "update" }, Output.Text(order.PatchName), order.Result is { } result ? Output.State(System.Text.Json.JsonNamingPolicy.CamelCase.ConvertName(result.ToString())) : "open", Output.Text(order.Reason ?? order.Permit), Output.Instant(order.At), $"{order.OrderId}" }));
        return ExitCodes.Ok;
    }
}
