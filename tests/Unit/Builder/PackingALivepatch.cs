using System.Text;
using Hotpatch.Builder;
using Hotpatch.Packaging;
using Hotpatch.Tests.Unit.Engine.Kernel;
using Xunit;

namespace Hotpatch.Tests.Unit.Builder;

public sealed class PackingALivepatch : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hotpatch-pack-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Takes_from_the_file_what_the_file_says()
    {
        var target = LivepatchPackage.Create(Request(new ModuleFile("fix") { Replaces = true })).Manifest.Targets[0];

        Assert.Equal(("linux 6.1.0-56-amd64", FakeKernel.BuildId), (target.Module, target.BuildId));
        Assert.Equal(("fix", true), (target.Livepatch!.Module, target.Livepatch.Replaces));
        Assert.Equal("fix.ko", Assert.Single(target.Objects).Name);
    }

    [Fact]
    public void Gives_the_same_bytes_for_the_same_input()
    {
        var request = Request(new ModuleFile("fix"));

        Assert.Equal(PackageWriter.ToBytes(LivepatchPackage.Create(request)), PackageWriter.ToBytes(LivepatchPackage.Create(request)));
    }

    [Fact]
    public void Reads_the_build_id_from_a_file_that_states_one()
    {
        var kernel = Write("notes", [.. ModuleFile.Note(FakeKernel.BuildId), .. "Linux version %s"u8, .. "Linux version 6.1.0-56-amd64 (debian-kernel)"u8]);

        Assert.Equal(FakeKernel.BuildId, LivepatchPackage.Create(Request(new ModuleFile("fix")) with { Kernel = kernel }).Manifest.Targets[0].BuildId);
    }

    [Fact]
    public void Asks_whether_it_replaces_where_the_file_decides_that_later()
    {
        var request = Request(new ModuleFile("fix") { Replaces = null });

        Refused("livepatch.replaces", request);
        Assert.True(LivepatchPackage.Create(request with { Replaces = true }).Manifest.Targets[0].Livepatch!.Replaces);
        Refused("livepatch.replaces", Request(new ModuleFile("fix") { Replaces = true }) with { Replaces = false });
    }

    [Fact]
    public void Refuses_a_module_of_another_kernel() => Refused(
        "livepatch.release", Request(new ModuleFile("fix") { Release = "6.1.0-55-amd64" }) with { Kernel = Write("notes", [.. ModuleFile.Note(FakeKernel.BuildId), .. "Linux version 6.1.0-56-amd64 (debian-kernel)"u8]) });

    [Fact]
    public void Refuses_what_makes_no_livepatch()
    {
        var sound = Request(new ModuleFile("fix"));

        Refused("livepatch.not_a_livepatch", Request(new ModuleFile("fix") { IsLivepatch = false }));
        Refused("livepatch.no_functions", sound with { Functions = [] });
        Refused("livepatch.file_missing", sound with { Module = Path.Combine(_folder, "nowhere") });
        Refused("livepatch.file_missing", sound with { Kernel = Path.Combine(_folder, "nowhere") });
        Refused("livepatch.kernel", sound with { Kernel = Write("vmlinuz", Encoding.ASCII.GetBytes("packed")) });
        Refused("livepatch.probe", sound with { Probes = [new HealthProbe("ping", "tcp", 0, "", "+PONG", 1000)] });
    }

    private LivepatchRequest Request(ModuleFile file) => new()
    {
        Name = "fix", Module = Write("fix.ko", file.ToBytes()), Kernel = FakeKernel.BuildId, Functions = [LivepatchPackages.Function],
    };

    private string Write(string name, byte[] bytes)
    {
        var path = Path.Combine(Directory.CreateDirectory(Path.Combine(_folder, $"{Guid.CreateVersion7()}")).FullName, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private static void Refused(string code, LivepatchRequest request) => Assert.Equal(code, Assert.Single(Assert.Throws<BuildRefused>(() => LivepatchPackage.Create(request)).Findings).Code);
}
