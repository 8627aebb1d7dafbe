using System.Net;
using System.Net.Sockets;
using System.Text;
using Hotpatch.Packaging;

namespace Hotpatch.Tests.Unit.Agent;

/// <summary>What listens in a patched process's place: it counts the questions, and answers as it is told.</summary>
internal sealed class AnsweringProbes : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private int _asked;

    public AnsweringProbes()
    {
        _listener.Start();
        _ = Serve();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public string Answer { get; set; } = "+PONG";

    /// <summary>Connections so far. A bad answer is asked for twice.</summary>
    public int Asked => _asked;

    /// <summary>The probe that it is asked by, at the port the process listens on.</summary>
    public static HealthProbe Probe { get; } = new("ping", "tcp", 0, "PING\r\n", "+PONG", 2000);

    public void Dispose() => _listener.Dispose();

    private async Task Serve()
    {
        try
        {
            while (true)
            {
                using var client = await _listener.AcceptTcpClientAsync();
                Interlocked.Increment(ref _asked);
                await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes(Answer));
                _ = await client.GetStream().ReadAtLeastAsync(new byte[16], 1, throwOnEndOfStream: false);
            }
        }
        catch (Exception over) when (over is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }
}
