using System.Globalization;
using System.Runtime.Versioning;
using System.Text.Json;
using Google.Protobuf;
using Hotpatch.Agent;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Agents;
using Hotpatch.Contracts.Gateway;
using Hotpatch.Contracts.Patcher;
using Hotpatch.Packaging;
using Hotpatch.Tests.Unit.Engine.Kernel;
using Hotpatch.Trust;
using Microsoft.Extensions.Time.Testing;
using Xunit;
using Envelope = Hotpatch.Trust.Envelope;

namespace Hotpatch.Tests.Unit.Agent;

/// <summary>
/// An agent without its connection: its parts and its state folder as they are, a program in the patcher's place, a clock that the test moves,
/// and the test in the Gateway's place.
/// </summary>
[UnsupportedOSPlatform("windows")]
internal sealed class TestEndpoint : IDisposable
{
    private readonly StatementKey _key = StatementKey.Generate();
    private readonly AgentOptions _options;
    private readonly List<Order> _orders = [];
    private Parts _parts;

    /// <param name="change">What the patch says beside its target, such as its probes.</param>
    public TestEndpoint(Func<PatchManifest, PatchManifest>? change = null, Func<AgentOptions, AgentOptions>? options = null)
    {
        using var release = SigningKey.Generate();
        var plain = LivepatchPackages.Of("fix");
        var made = change is null ? plain : PackageWriter.Create(change(plain.Manifest), [[plain.ObjectBytes(plain.Manifest.Targets[0].Objects[0]).ToArray()]]);
        Package = PackageWriter.Sign(made, release);
        Directory.CreateDirectory(Path.Combine(State, "trust"));
        File.WriteAllText(Path.Combine(State, "trust", "release.pub"), release.ExportPublicPem());
        Patcher = new FakePatcher(Path.Combine(State, "patcher"));
        Patcher.Holds(new AppliedPatch(Package.Digest, "fix", 1, FakeKernel.BuildId, 1, true, true, 0, 0, null));
        var plainly = new AgentOptions { State = State, TrustFolder = Path.Combine(State, "trust"), Patcher = Patcher.Program, ProbeSeconds = [0], ScanSeconds = 1 };
        _options = options is null ? plainly : options(plainly);
        _parts = Start();
    }

    public string State { get; } = Directory.CreateTempSubdirectory("hotpatch-agent-").FullName;
    public Guid Id { get; } = Guid.CreateVersion7();
    public FakePatcher Patcher { get; }
    public PatchPackage Package { get; }
    public StatementKey GatewayKey => _key;
    public MovedClock Clock { get; } = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    public Journal Journal => _parts.Journal;
    public Permits Permits => _parts.Permits;
    public StandingOrders Orders => _parts.Orders;

    /// <summary>Every request for a permit is answered by a good one before the next pass.</summary>
    public bool GrantsAtOnce { get; init; } = true;

    public void Dispose()
    {
        _parts.Journal.Dispose();
        _key.Dispose();
        Directory.Delete(State, recursive: true);
    }

    /// <summary>The agent ends and starts again on what it has on disk.</summary>
    public void Restart()
    {
        _parts.Journal.Dispose();
        _parts = Start();
    }

    /// <summary>A pass; where the Gateway grants at once, one for the question and one with the answer.</summary>
    public async Task Pass()
    {
        await _parts.Reconcile.Once(TestContext.Current.CancellationToken);
        if (!GrantsAtOnce) return;
        var requests = Requests();
        foreach (var request in requests) Hear(PermitFor(request));
        if (requests.Count > 0) await _parts.Reconcile.Once(TestContext.Current.CancellationToken);
    }

    public async Task PassAfter(double seconds)
    {
        Clock.Advance(TimeSpan.FromSeconds(seconds));
        await Pass();
    }

    public Order Order(string kind, Guid? rollout = null, Action<Order>? change = null)
    {
        var order = new Order
        {
            OrderId = $"{Guid.CreateVersion7()}", Kind = kind, RolloutId = $"{rollout ?? Guid.CreateVersion7()}", PatchId = $"{Guid.CreateVersion7()}", PatchName = "fix", Digest = Package.Digest, Epoch = 1, Traceparent = "",
        };
        change?.Invoke(order);
        Tell(order);
        return order;
    }

    /// <summary>The Gateway's whole list of orders.</summary>
    public void Tell(params Order[] orders)
    {
        _orders.Clear();
        _orders.AddRange(orders);
        var message = new Orders { Orders_ = { orders } };
        Permits.Heard(message);
        Orders.Replace(message);
    }

    public List<PermitRequest> Requests() => [.. Permits.TakeOutgoing().Where(message => message.BodyCase == AgentMessage.BodyOneofCase.PermitRequest).Select(message => message.PermitRequest)];

    /// <summary>The permit that a Gateway would give to a request.</summary>
    public Permit PermitFor(PermitRequest request)
    {
        var order = _orders.Single(order => order.OrderId == request.OrderId);
        return new Permit(Guid.Parse(order.RolloutId), order.Epoch, Id, Guid.Parse(order.OrderId), order.Kind, order.Digest, Convert.ToHexStringLower(request.Nonce.Span), 30, Clock.GetUtcNow());
    }

    public void Hear(Permit permit, StatementKey? signedBy = null) => Hear(permit.Sign(signedBy ?? _key));

    public void Hear(Envelope envelope) => Permits.Heard(new Contracts.Agents.Envelope
    {
        PayloadType = envelope.PayloadType, Payload = ByteString.CopyFrom(envelope.Payload),
        Signatures = { envelope.Signatures.Select(signature => new Signature { KeyId = signature.KeyId, Value = ByteString.CopyFrom(signature.Value) }) },
    });

    public void Fence(Order order, int epoch) => Permits.Heard(new Fence { RolloutId = order.RolloutId, Epoch = epoch });

    public void Runs(params ScannedProcess[] processes) => Patcher.Answers(PatcherVerb.Scan, new PatcherResult { Outcome = PatcherOutcome.Done, Processes = processes });

    /// <summary>A process of the vulnerable program that has run for an hour.</summary>
    /// <param name="pid">Of another start time than every other pid's.</param>
    public ScannedProcess Process(int pid, int? port = null, double startedSecondsAgo = 3600) =>
        new(pid, Ticks(startedSecondsAgo) + pid % 10, "/usr/sbin/victim", [new ScannedBinary(FakeKernel.BuildId, "victim")], port is { } listening ? [listening] : [], Patches: null);

    public IReadOnlyList<T> Facts<T>() where T : class =>
        [.. Journal.Facts().Where(fact => fact.Kind == FactKinds.NameOf(typeof(T))).Select(fact => (T)fact.Data!.Value.Deserialize(ReportJson.Default.GetTypeInfo(typeof(T))!)!)];

    /// <summary>Of the order that ended last.</summary>
    public OrderCompleted Completed() => Facts<OrderCompleted>()[^1];

    /// <summary>Patches and processes that the patcher was asked to change, in order: "apply 42".</summary>
    public IReadOnlyList<string> Changes() =>
        [.. Patcher.Requests().Where(request => request.Verb is PatcherVerb.Apply or PatcherVerb.RollBack).Select(request => string.Create(CultureInfo.InvariantCulture, $"{(request.Verb == PatcherVerb.Apply ? "apply" : "roll back")} {request.Pid}"))];

    private long Ticks(double secondsAgo) => (long)((Clock.GetUtcNow() - BootTime.StartOfMachine(Clock)).TotalSeconds - secondsAgo) * 100;

    private Parts Start()
    {
        var keys = new PermitKeys(State, repin: false);
        keys.Take([_key.PublicKey]);
        var journal = new Journal(Path.Combine(State, "journal"));
        var orders = new StandingOrders(Path.Combine(State, "orders.json"));
        var permits = new Permits(Id, keys, new EpochFloors(State), orders, Clock);
        permits.Connected();
        var endpoint = new Hotpatch.Agent.Endpoint(Id, journal, orders, permits, _options, Clock);
        var bytes = PackageWriter.ToBytes(Package);
        var packages = new PackageStore(_options, (_, _) => Task.FromResult<byte[]?>(bytes));
        return new Parts(journal, orders, permits, new Reconcile(endpoint, new PatcherRunner(_options), packages));
    }

    /// <summary>A clock whose hands may be set without time going by.</summary>
    internal sealed class MovedClock(DateTimeOffset start) : FakeTimeProvider(start)
    {
        public TimeSpan SetBackBy { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() - SetBackBy;

        public override long GetTimestamp() => base.GetUtcNow().Ticks;
    }

    private sealed record Parts(Journal Journal, StandingOrders Orders, Permits Permits, Reconcile Reconcile);
}
