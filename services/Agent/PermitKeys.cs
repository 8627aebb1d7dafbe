using Hotpatch.Trust;

namespace Hotpatch.Agent;

/// <summary>
/// The keys that sign this fleet's permits, as the Gateway told them at the first enrolment: a file <c>permit-keys</c>, one SubjectPublicKeyInfo
/// (DER, Base64) a line. Other keys told later are not believed.
/// </summary>
internal sealed class PermitKeys
{
    private readonly Lock _gate = new();
    private readonly string _path;
    private bool _repin;
    private string? _refused;
    private List<StatementKey> _keys = [];

    /// <param name="repin">The first keys told in this run replace those that are pinned.</param>
    /// <exception cref="UsageFault">The file is not readable.</exception>
    public PermitKeys(string state, bool repin)
    {
        (_path, _repin) = (Path.Combine(state, "permit-keys"), repin);
        try
        {
            if (File.Exists(_path)) _keys = Read([.. File.ReadAllLines(_path).Where(line => line.Length > 0).Select(Convert.FromBase64String)]);
        }
        catch (Exception damaged) when (damaged is FormatException or TrustFault)
        {
            throw new UsageFault($"{_path} holds no permit keys ({damaged.Message}); remove it and run with --repin to take the gateway's");
        }
    }

    public IReadOnlyList<StatementKey> Pinned { get { lock (_gate) return _keys; } }

    /// <summary>True once the Gateway was asked in this run: only then does "no key" mean that there is none.</summary>
    public bool Told { get; private set; }

    /// <summary>What the Gateway says at enrolment. Pinned when nothing is, compared otherwise.</summary>
    public void Take(IReadOnlyList<byte[]> offered)
    {
        lock (_gate)
        {
            Told = true;
            if (offered.Count == 0) return;
            try
            {
                var keys = Read(offered);
                if (_keys.Count == 0 || _repin) Pin(keys);
                else Compare(keys);
            }
            catch (TrustFault unusable)
            {
                Log.Error($"the gateway's permit keys are refused: {unusable.Message}");
            }
        }
    }

    private void Pin(List<StatementKey> keys)
    {
        AtomicFile.Write(_path, string.Concat(keys.Select(key => Convert.ToBase64String(key.PublicKey) + "\n")));
        (_keys, _repin, _refused) = (keys, false, null);
        Log.Info($"permits are believed from now on when signed by {Names(keys)}");
    }

    // Said once for each set of strangers, not at each reconnect.
    private void Compare(List<StatementKey> keys)
    {
        var strangers = keys.Where(key => _keys.TrueForAll(known => known.KeyId != key.KeyId)).ToList();
        if (strangers.Count == 0 || Names(strangers) == _refused) return;
        _refused = Names(strangers);
        Log.Error($"the gateway names permit keys that are not pinned here and are not believed: {_refused}. If the fleet's keys were changed on purpose, start the agent once with --repin");
    }

    private static List<StatementKey> Read(IReadOnlyList<byte[]> keys) => [.. keys.Select(StatementKey.FromPublicKey)];

    private static string Names(IEnumerable<StatementKey> keys) => string.Join(", ", keys.Select(key => key.KeyId[..16]));
}
