using System.Globalization;
using Hotpatch.Tests.Benchmarks;
using Hotpatch.Tests.Benchmarks.Rollouts;

const string Usage =
    """
    usage: hotpatch-benchmarks [--rounds N] [--peers-only]

    How long a patched process stands still: by our clock, beside the floor (floor.c); and as the process sees it, beside public tools that
    do the same job. Needs root.

      HOTPATCH_PATCHER   our patcher, as published
      HOTPATCH_LIBPULP   folder that libpulp was built in, with tools/ulp and lib/.libs/libpulp.so
      HOTPATCH_LIBCARE   folder with libcare-ctl, kpatch_gensrc, kpatch_strip and kpatch_make (libcare's src)

    hotpatch-benchmarks rollout [--agents 100,1000,10000] [--rollouts N] [--stops N] [--seed N] [--in-flight N] [--rings NAME:SIZE,...]
    [--json FILE]: rollouts over simulated fleets, on a PostgreSQL and a RabbitMQ of its own. The seed fixes who lands in which ring, how long
    each apply takes and when a rollout is paused. Needs no root where infra/local can start them without.

    hotpatch-benchmarks ansible [HOSTS]: the same rings over as many hosts by Ansible (infra/local/packages.sh debian ansible-core) and by the
    services with simulated agents, side by side. Needs root, which dpkg asks for.

    hotpatch-benchmarks ingest [ENDPOINTS]: how many reports a second the Gateway stores. Needs HOTPATCH_TEST_PG.

    hotpatch-benchmarks sessions [COUNT]: what connected agents cost the Gateway, and how soon they are answered. Needs HOTPATCH_TEST_PG.

    A tool that is not there is left out.
    """;

if (args is ["ingest", .. var counts])
{
    await new IngestRate(counts.Length > 0 ? int.Parse(counts[0], CultureInfo.InvariantCulture) : 2000, rounds: 5).Print();
    return 0;
}
if (args is ["sessions", .. var connected])
{
    await new SessionCost(connected.Length > 0 ? int.Parse(connected[0], CultureInfo.InvariantCulture) : 1000).Print();
    return 0;
}
if (args is ["agents-of", var url])
{
    await new SessionLoad(url).Run();
    return 0;
}
if (args is ["ansible", .. var hosts]) return await AnsibleBenchmark.Run(hosts.Length > 0 ? int.Parse(hosts[0], CultureInfo.InvariantCulture) : 100);
if (args is ["rollout", .. var asked])
{
    string? Value(string option) => Array.IndexOf(asked, option) is var at and >= 0 && at + 1 < asked.Length ? asked[at + 1] : null;
    int Number(string option, int otherwise) => Value(option) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
    var sizes = (Value("--agents") ?? "100,1000,10000").Split(',').Select(size => int.Parse(size, CultureInfo.InvariantCulture));
    var usual = RolloutShape.Usual;
    var shape = new RolloutShape(Number("--seed", usual.Seed), Number("--in-flight", usual.InFlight), Value("--rings") is { } rings ? [.. rings.Split(',').Select(RolloutShape.Ring)] : usual.Rings);
    return await new RolloutBenchmark(Number("--rollouts", 3), Number("--stops", 20), shape, Value("--json")).Run([.. sizes]);
}
int[] threads = [1, 50, 400];
var rounds = 20;
var peersOnly = false;
for (var i = 0; i < args.Length; i++)
{
    if (args[i] == "--rounds" && i + 1 < args.Length) rounds = int.Parse(args[++i], CultureInfo.InvariantCulture);
    else if (args[i] == "--peers-only") peersOnly = true;
    else
    {
        Console.WriteLine(Usage);
        return args[i] is "--help" or "-h" ? 0 : 2;
    }
}
if (!peersOnly)
{
    using var stops = new StopTimes(rounds);
    stops.Print(threads);
}
using var peers = new PeerTools(rounds);
peers.Print(threads);
return 0;
