using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Hotpatch.Contracts.Patcher;
using Hotpatch.Packaging;

namespace Hotpatch.Agent;

/// <summary>Asks a process whether it still works, the way its patch says.</summary>
internal static class HealthProbes
{
    private static readonly TimeSpan BlipPause = TimeSpan.FromMilliseconds(200);

    private static readonly HttpClient Http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, UseCookies = false, PooledConnectionLifetime = TimeSpan.Zero }) { Timeout = Timeout.InfiniteTimeSpan };

    /// <returns>Null when every probe got its answer; otherwise which did not, and why. One failure alone is asked again.</returns>
    public static async Task<(string Probe, string Reason)?> Ask(ScannedProcess process, IReadOnlyList<HealthProbe> probes, CancellationToken ct)
    {
        foreach (var probe in probes)
        {
            if (await Ask(process, probe, ct) is null) continue;
            await Task.Delay(BlipPause, ct);
            if (await Ask(process, probe, ct) is { } reason) return (probe.Name, reason);
        }
        return null;
    }

    private static async Task<string?> Ask(ScannedProcess process, HealthProbe probe, CancellationToken ct)
    {
        if (probe.Kind == "command") return await Run(probe, ct);
        var port = probe.Port != 0 ? probe.Port : process.Listening.DefaultIfEmpty().Min();
        if (port == 0) return "the process listens on no port";
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(probe.TimeoutMilliseconds);
        try
        {
            return probe.Kind == "http" ? await Get(probe, port, limit.Token) : await Talk(probe, port, limit.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return $"port {port} did not answer within {probe.TimeoutMilliseconds} ms";
        }
        catch (Exception refused) when (refused is SocketException or IOException or HttpRequestException)
        {
            return $"port {port}: {refused.Message}";
        }
    }

    private static async Task<string?> Talk(HealthProbe probe, int port, CancellationToken ct)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port, ct);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.UTF8.GetBytes(probe.Send), ct);
        return await Compare(stream, probe.Expect, port, ct);
    }

    private static async Task<string?> Get(HealthProbe probe, int port, CancellationToken ct)
    {
        using var answer = await Http.GetAsync(new Uri($"http://127.0.0.1:{port}{probe.Send}"), HttpCompletionOption.ResponseHeadersRead, ct);
        var status = (int)answer.StatusCode;
        if (probe.Expect is { Length: 3 } && int.TryParse(probe.Expect, NumberStyles.None, CultureInfo.InvariantCulture, out var expected))
            return status == expected ? null : $"port {port} answered {probe.Send} with status {status} instead of {expected}";
        return answer.IsSuccessStatusCode ? await Compare(await answer.Content.ReadAsStreamAsync(ct), probe.Expect, port, ct) : $"port {port} answered {probe.Send} with status {status}";
    }

    private static async Task<string?> Run(HealthProbe probe, CancellationToken ct)
    {
        var result = await ProgramCall.Run(probe.Send.Split(' ', StringSplitOptions.RemoveEmptyEntries), TimeSpan.FromMilliseconds(probe.TimeoutMilliseconds), ct);
        return result.Code == 0 ? null : $"'{probe.Send}' ended with {result.Code}{(result.Complaint.Length > 0 ? $": {Printable(result.Complaint)}" : "")}";
    }

    private static async Task<string?> Compare(Stream stream, string text, int port, CancellationToken ct)
    {
        var expected = Encoding.UTF8.GetBytes(text);
        var answer = new byte[expected.Length];
        var read = await stream.ReadAtLeastAsync(answer, answer.Length, throwOnEndOfStream: false, ct);
        return answer.AsSpan(0, read).SequenceEqual(expected) ? null : $"port {port} answered '{Printable(Encoding.UTF8.GetString(answer, 0, read))}' instead of '{Printable(text)}'";
    }

    private static string Printable(string text) => string.Concat(text.Select(letter => char.IsControl(letter) ? '.' : letter));
}
