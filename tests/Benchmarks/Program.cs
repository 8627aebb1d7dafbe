using System.Globalization;
using Hotpatch.Tests.Benchmarks;

const string Usage =
    """
    usage: hotpatch-benchmarks [--rounds N] [--peers-only]

    How long a patched process stands still, beside the floor (floor.c) and beside public tools that do the same job.
    Needs root.

      HOTPATCH_PATCHER   our patcher, as published
      HOTPATCH_LIBPULP   folder that libpulp was built in, with tools/ulp and lib/.libs/libpulp.so
      HOTPATCH_LIBCARE   folder with libcare-ctl, kpatch_gensrc, kpatch_strip and kpatch_make (libcare's src)

    Without the last two, the table of peers is left out.
    """;

int[] threads = [1, 50, 400];
int[] peerThreads = [1, 50];
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
if (!PeerTools.AreThere)
{
    Console.WriteLine($"No peers: neither {PeerTools.Libpulp} nor {PeerTools.Libcare} names a tool (see --help).");
    return 0;
}
using var peers = new PeerTools(rounds);
peers.Print(peerThreads);
return 0;
