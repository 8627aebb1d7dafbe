using System.Globalization;
using Hotpatch.Tests.Benchmarks;

int[] threads = [1, 50, 400];
var rounds = args is ["--rounds", var text] ? int.Parse(text, CultureInfo.InvariantCulture) : 20;
if (args is ["--help" or "-h"])
{
    Console.WriteLine("usage: hotpatch-benchmarks [--rounds N]    how long a patched process stands still, beside the floor (HOTPATCH_PATCHER names the patcher)");
    return 0;
}
using var stops = new StopTimes(rounds);
stops.Print(threads);
return 0;
