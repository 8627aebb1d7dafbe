using Hotpatch.Builder;
using Hotpatch.Packaging;

namespace Hotpatch.Tests.Integration.Fixtures;

/// <summary>A livepatch of tests/targets/livepatch, and what its package says of it.</summary>
internal sealed record KernelFix(string Module, string Name, int Level, LivepatchedFunction[] Functions, ContainedFix[] Contains)
{
    public static readonly KernelFix
        CommandLine = new("fix_cmdline", "linux-cmdline", 1, [new("vmlinux", "cmdline_proc_show")], []),
        CommandLineAgain = new("fix_cmdline_2", "linux-cmdline", 2, [new("vmlinux", "cmdline_proc_show")], [new("linux-cmdline", 1)]),
        Version = new("fix_version", "linux-version", 1, [new("vmlinux", "version_proc_show")], []),
        Shop = new("fix_shop", "linux-shop", 1, [new("shop", "shop_price_show"), new("shop", "shop_queue_show")], []),
        Nowhere = new("fix_nowhere", "linux-nowhere", 1, [new("vmlinux", "no_such_function")], []),
        Misdeclared = new("fix_cmdline", "linux-misdeclared", 1, [new("vmlinux", "version_proc_show")], []);

    public static IReadOnlyList<KernelFix> All => [CommandLine, CommandLineAgain, Version, Shop, Nowhere, Misdeclared];

    /// <param name="kernel">The build-id it is said to be for, or a file that states one.</param>
    public PatchPackage Package(string modules, string kernel) => LivepatchPackage.Create(new LivepatchRequest
    {
        Name = Name, Level = Level, Module = Path.Combine(modules, $"{Module}.ko"), Kernel = kernel, Functions = Functions, Contains = Contains,
    });
}
