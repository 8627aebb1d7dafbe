using System.Collections.Concurrent;
using System.Threading.Channels;
using Marten;

namespace Hotpatch.Gateway;

/// <summary>
/// What endpoints prove themselves with, as this node knows it: read once, many at a time, and kept. Thousands of agents that come back at
/// once cost a few queries. A hash is never changed; what ends an endpoint's right to come is told by <see cref="Forget"/>.
/// </summary>
public sealed class Credentials(IDocumentStore store) : BackgroundService
{
    private const int PerLook = 500;

    private readonly ConcurrentDictionary<Guid, EndpointCredential> _known = new();
    private readonly Channel<(Guid Endpoint, TaskCompletionSource<EndpointCredential?> Found)> _sought = Channel.CreateUnbounded<(Guid, TaskCompletionSource<EndpointCredential?>)>(new UnboundedChannelOptions { SingleReader = true });

    public async ValueTask<EndpointCredential?> Find(Guid endpoint, CancellationToken ct)
    {
        if (_known.TryGetValue(endpoint, out var known)) return known;
        var found = new TaskCompletionSource<EndpointCredential?>(TaskCreationOptions.RunContinuationsAsynchronously);
        await _sought.Writer.WriteAsync((endpoint, found), ct);
        return await found.Task.WaitAsync(ct);
    }

    public void Forget(Guid endpoint) => _known.TryRemove(endpoint, out _);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (await _sought.Reader.WaitToReadAsync(stoppingToken))
        {
            var sought = new List<(Guid Endpoint, TaskCompletionSource<EndpointCredential?> Found)>();
            while (sought.Count < PerLook && _sought.Reader.TryRead(out var next)) sought.Add(next);
            try
            {
                await using var session = store.QuerySession();
                var found = (await session.LoadManyAsync<EndpointCredential>(stoppingToken, [.. sought.Select(one => one.Endpoint).Distinct()])).ToDictionary(credential => credential.Id);
                foreach (var credential in found.Values) _known[credential.Id] = credential;
                foreach (var (endpoint, waiting) in sought) waiting.TrySetResult(found.GetValueOrDefault(endpoint));
            }
            catch (Exception failure) when (!stoppingToken.IsCancellationRequested)
            {
                // Whoever asked is answered with it; the next one asks anew.
                foreach (var (_, waiting) in sought) waiting.TrySetException(failure);
            }
        }
    }
}
