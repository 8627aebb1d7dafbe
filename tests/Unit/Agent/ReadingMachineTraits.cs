using Hotpatch.Agent;
using Hotpatch.Contracts;
using Xunit;

namespace Hotpatch.Tests.Unit.Agent;

/// <summary>Traits are what the machine's files say; what they do not say is left out or unknown.</summary>
public sealed class ReadingMachineTraits : IDisposable
{
    private const string SecureBoot = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

    private readonly string _root = Directory.CreateTempSubdirectory("hotpatch-root-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Tells_the_system_kernel_and_memory()
    {
        Put("etc/os-release", "NAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=\"12\"\n");
        Put("proc/sys/kernel/osrelease", "6.1.0-56-amd64\n");
        Put("proc/meminfo", "MemTotal:        2014332 kB\nMemFree:          100 kB\n");
        var traits = MachineTraits.Read(_root);

        Assert.Equal(("debian", "12", "6.1.0-56-amd64"), (traits[Traits.Os], traits[Traits.OsVersion], traits[Traits.Kernel]));
        Assert.Equal("1984", traits[Traits.MemoryMb]);      // 1967 MiB, to the next 64
    }

    [Fact]
    public void Finds_the_systems_name_below_usr_where_etc_has_none()
    {
        Put("usr/lib/os-release", "ID='alpine'\n");

        Assert.Equal("alpine", MachineTraits.Read(_root)[Traits.Os]);
    }

    [Theory]
    [InlineData(1, "yes")]
    [InlineData(0, "no")]
    public void Reads_secure_boot_from_its_variable(byte value, string expected)
    {
        Put(SecureBoot, "");
        File.WriteAllBytes(Path.Combine(_root, SecureBoot), [6, 0, 0, 0, value]);

        Assert.Equal(expected, MachineTraits.Read(_root)[Traits.SecureBoot]);
    }

    [Fact]
    public void Guesses_nothing_about_firmware_it_cannot_see()
    {
        Assert.Equal(("unknown", "unknown"), (MachineTraits.Read(_root)[Traits.SecureBoot], MachineTraits.Read(_root)[Traits.Tpm]));

        Directory.CreateDirectory(Path.Combine(_root, "sys/firmware/efi"));
        Assert.Equal("unknown", MachineTraits.Read(_root)[Traits.SecureBoot]);
        Assert.DoesNotContain(Traits.MemoryMb, MachineTraits.Read(_root).Keys);
    }

    [Fact]
    public void A_machine_without_efi_has_no_secure_boot()
    {
        Directory.CreateDirectory(Path.Combine(_root, "sys/firmware"));

        Assert.Equal("no", MachineTraits.Read(_root)[Traits.SecureBoot]);
    }

    [Fact]
    public void Tells_a_tpm_by_its_device()
    {
        Directory.CreateDirectory(Path.Combine(_root, "sys/class"));
        Assert.Equal("no", MachineTraits.Read(_root)[Traits.Tpm]);

        Directory.CreateDirectory(Path.Combine(_root, "sys/class/tpm/tpm0"));
        Assert.Equal("yes", MachineTraits.Read(_root)[Traits.Tpm]);
    }

    [Fact]
    public void Names_the_time_zone_by_its_link_then_by_its_file()
    {
        Assert.Equal("UTC", MachineTraits.Read(_root)[Traits.TimeZone]);

        Put("etc/timezone", "Europe/Berlin\n");
        Assert.Equal("Europe/Berlin", MachineTraits.Read(_root)[Traits.TimeZone]);

        File.CreateSymbolicLink(Path.Combine(_root, "etc/localtime"), "/usr/share/zoneinfo/America/New_York");
        Assert.Equal("America/New_York", MachineTraits.Read(_root)[Traits.TimeZone]);
    }

    [Fact]
    public void Are_the_same_only_when_each_is()
    {
        var one = new Dictionary<string, string> { ["os"] = "debian" };

        Assert.True(MachineTraits.AreSame(one, new Dictionary<string, string> { ["os"] = "debian" }));
        Assert.False(MachineTraits.AreSame(one, new Dictionary<string, string> { ["os"] = "debian", ["tpm"] = "yes" }));
        Assert.False(MachineTraits.AreSame(one, new Dictionary<string, string> { ["os"] = "alpine" }));
        Assert.False(MachineTraits.AreSame(null, one));
    }

    private void Put(string path, string text)
    {
        var file = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }
}
