using Hotpatch.Engine.Ptrace;
using Xunit;

namespace Hotpatch.Tests.Unit.Engine;

public sealed class ReadingMemoryMaps
{
    [Fact]
    public void Gives_every_field_of_a_line() => Assert.Equal(
        new MemoryMapping(0x555555558000, 0x55555556d000, "r-xp", 0x4000, "fe:00", 1835072, "/usr/bin/redis-server"),
        MemoryMapping.Parse("555555558000-55555556d000 r-xp 00004000 fe:00 1835072                    /usr/bin/redis-server"));

    [Theory]
    [InlineData("7f0000000000-7f0000001000 r-xp 00000000 08:01 42                         /srv/a  name with   spaces .so", "/srv/a  name with   spaces .so")]
    [InlineData("7f0000000000-7f0000001000 r-xp 00000000 08:01 42                         /srv/ends in a blank ", "/srv/ends in a blank ")]
    [InlineData("7f0000000000-7f0000001000 r-xp 00000000 08:01 42                         /srv/old.so (deleted)", "/srv/old.so (deleted)")]
    [InlineData("7f0000000000-7f0000001000 r-xp 00000000 08:01 42                         /srv/two\\012lines", "/srv/two\\012lines")]
    [InlineData("7f0000000000-7f0000001000 r-xp 00000000 08:01 42                         /srv/555555554000-555555558000 r-xp 0 00:00 0", "/srv/555555554000-555555558000 r-xp 0 00:00 0")]
    [InlineData("7ffff7fc9000-7ffff7fcb000 r-xp 00000000 00:00 0                          [vdso]", "[vdso]")]
    [InlineData("7ffff7fd0000-7ffff7fd3000 rw-p 00000000 00:00 0 ", "")]
    [InlineData("7ffff7fd0000-7ffff7fd3000 rw-p 00000000 00:00 0", "")]
    public void Takes_the_rest_of_the_line_for_the_path(string line, string path) => Assert.Equal(path, MemoryMapping.Parse(line)!.Path);

    [Theory]
    [InlineData("00400000-00401000 rw-p 00000000 00:00 0 ", true, false, false)]
    [InlineData("00400000-00401000 rw-p 00000000 00:00 0                    [anon:glibc: malloc]", true, false, false)]
    [InlineData("00400000-00401000 rw-p 00000000 00:00 0                    [heap]", false, false, false)]
    [InlineData("00400000-00401000 r-xp 00000000 00:00 0                    [vdso]", false, false, true)]
    [InlineData("00400000-00401000 r-xs 00000000 00:05 1047                 /memfd:code (deleted)", false, true, true)]
    [InlineData("00400000-00401000 r--p 00000000 fe:00 9                    /usr/bin/true", false, true, false)]
    public void Tells_anonymous_memory_from_files_and_code_from_data(string line, bool anonymous, bool file, bool code)
    {
        var mapping = MemoryMapping.Parse(line)!;

        Assert.Equal((anonymous, file, code), (mapping.IsAnonymous, mapping.IsFile, mapping.IsExecutable));
    }

    [Fact]
    public void Reads_the_highest_page_of_the_address_space() => Assert.Equal(
        0xffffffffff601000, MemoryMapping.Parse("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]")!.End);

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("00400000-00401000")]
    [InlineData("00400000-00401000 r-xp 00000000 08:01")]                           // no inode
    [InlineData("00401000-00400000 r-xp 00000000 08:01 1 /a")]                      // ends before it starts
    [InlineData("00400000-00400000 r-xp 00000000 08:01 1 /a")]                      // nothing in it
    [InlineData("00400000 r-xp 00000000 08:01 1 /a")]
    [InlineData("-00401000 r-xp 00000000 08:01 1 /a")]
    [InlineData("00400000-0x401000 r-xp 00000000 08:01 1 /a")]
    [InlineData("00400000-\t401000 r-xp 00000000 08:01 1 /a")]
    [InlineData("00400000-10000000000000000 r-xp 00000000 08:01 1 /a")]             // 65 bits
    [InlineData("00400000-00401000 r-x 00000000 08:01 1 /a")]
    [InlineData("00400000-00401000 r-xpp 00000000 08:01 1 /a")]
    [InlineData("00400000-00401000 r-xp nothing! 08:01 1 /a")]
    [InlineData("00400000-00401000 r-xp 00000000 08:01 -1 /a")]
    [InlineData("00400000-00401000 r-xp 00000000 08:01 18446744073709551616 /a")]   // 65 bits
    public void Leaves_out_a_line_of_another_form(string line) => Assert.Null(MemoryMapping.Parse(line));

    [Fact]
    public void Finds_this_process_s_own_code()
    {
        var mappings = ProcessMaps.Of(Environment.ProcessId);

        Assert.Equal(mappings.OrderBy(mapping => mapping.Start), mappings);
        Assert.Contains(mappings, mapping => mapping is { IsExecutable: true, IsFile: true } && mapping.Path.Contains("libc", StringComparison.Ordinal));
        Assert.Contains(mappings, mapping => mapping is { Path: "[stack]", IsFile: false, IsExecutable: false });
        Assert.Empty(ProcessMaps.Of(int.MaxValue));
    }
}
