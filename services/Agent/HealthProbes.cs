using System.Net.Sockets;
using System.Text;
using Hotpatch.Contracts.Patcher;
using Hotpatch.Packaging;

namespace Hotpatch.Agent;

/// <summary>Asks a process whether it still works, the way its patch says.</summary>
internal static class HealthProbes
{
    private static readonly TimeSpan BlipPause = TimeSpan.FromMilliseconds(200);

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
        var port = probe.Port != 0 ? probe.Port : process.Listening.DefaultIfEmpty().Min();
        if (port == 0) return "the process listens on no port";
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(probe.TimeoutMilliseconds);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(System.Net.IPAddress.Loopback, port, limit.Token);
            var stream = client.GetStream();
            await stream.WriteAsync(Encoding.UTF8.GetBytes(probe.Send), limit.Token);
            var expected = Encoding.UTF8.GetBytes(probe.Expect);
            var answer = new byte[expected.Length];
            var read = await stream.ReadAtLeastAsync(answer, answer.Length, throwOnEndOfStream: false, limit.Token);
            return answer.AsSpan(0, read).SequenceEqual(expected) ? null : $"port {port} answered '{Printable(answer, read)}' instead of '{Printable(expected, expected.Length)}'";
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return $"port {port} did not answer within {probe.TimeoutMilliseconds} ms";
        }
        catch (Exception refused) when (refused is SocketException or IOException)
        {
            return $"port {port}: {refused.Message}";
        }
    }

    private static string Printable(byte[] bytes, int length) => string.Concat(Encoding.UTF8.GetString(bytes, 0, length).Select(c => char.IsControl(c) ? '.' : c));
}
