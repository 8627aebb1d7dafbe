using System.Text.Json;

namespace Hotpatch.Agent;

/// <summary>The highest epoch heard of each rollout, on disk: what was stopped once is not begun by an older permit, whatever happens in between.</summary>
internal sealed class EpochFloors
{
    private readonly Lock _gate = new();
    private readonly string _path;
    private readonly Dictionary<Guid, int> _floors;

    public EpochFloors(string state)
    {
        _path = Path.Combine(state, "epochs.json");
        _floors = File.Exists(_path) ? JsonSerializer.Deserialize(File.ReadAllText(_path), AgentJson.Default.DictionaryGuidInt32) ?? [] : [];
    }

    public int Of(Guid rollout)
    {
        lock (_gate) return _floors.GetValueOrDefault(rollout);
    }

    /// <summary>It holds at once, and is on disk when this returns.</summary>
    public void Raise(IEnumerable<(Guid Rollout, int Epoch)> heard)
    {
        lock (_gate)
        {
            var higher = heard.Where(one => one.Epoch > _floors.GetValueOrDefault(one.Rollout)).ToList();
            if (higher.Count == 0) return;
            foreach (var (rollout, epoch) in higher) _floors[rollout] = Math.Max(epoch, _floors.GetValueOrDefault(rollout));
            AtomicFile.Write(_path, JsonSerializer.Serialize(_floors, AgentJson.Default.DictionaryGuidInt32));
        }
    }
}
