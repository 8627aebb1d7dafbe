using Grpc.Core;
using Hotpatch.Contracts.Agents;

namespace Hotpatch.Gateway;

/// <summary>
/// One connected agent. Thousands of these idle on a node: it holds no timer and no task of its own, and a queue only while it sends.
/// </summary>
public sealed class Session(Guid endpoint, IServerStreamWriter<GatewayMessage> to, CancellationTokenSource ended)
{
    // An agent that does not read for so many messages is not there; it comes back and is told everything anew.
    private const int WaitingMax = 256;

    private readonly Lock _gate = new();
    private Queue<GatewayMessage>? _waiting;
    private bool _sending;

    public Guid EndpointId => endpoint;
    public DateTimeOffset SeenAt { get; internal set; }

    /// <summary>It said hello and waits for its welcome.</summary>
    internal bool AwaitsWelcome { get; set; }

    /// <summary>Hash of the orders it was last told; null = none yet.</summary>
    internal UInt128? Told { get; set; }

    /// <summary>Rollouts that have an open order here: whoever moves their gate looks at this endpoint again.</summary>
    internal Guid[] Rollouts { get; set; } = [];

    public bool IsEnded => ended.IsCancellationRequested;

    /// <summary>Sends after everything posted before; never waits for the agent.</summary>
    public void Post(GatewayMessage message)
    {
        lock (_gate)
        {
            if (_sending)
            {
                _waiting ??= new Queue<GatewayMessage>();
                if (_waiting.Count < WaitingMax) _waiting.Enqueue(message);
                else End();
                return;
            }
            _sending = true;
        }
        _ = Send(message);
    }

    public void End()
    {
        try
        {
            ended.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has ended already.
        }
    }

    private async Task Send(GatewayMessage message)
    {
        try
        {
            while (true)
            {
                await to.WriteAsync(message, ended.Token);
                lock (_gate)
                {
                    if (_waiting is null || !_waiting.TryDequeue(out message!))
                    {
                        _waiting = null;
                        _sending = false;
                        return;
                    }
                }
            }
        }
        catch (Exception)
        {
            // The connection broke or the call is over, in whichever way that shows: the agent comes back by itself.
            End();
        }
    }
}
