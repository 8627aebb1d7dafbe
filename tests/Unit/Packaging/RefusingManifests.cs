using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hotpatch.Packaging;
using Hotpatch.Tests.Fuzz.Corpus;
using Xunit;

namespace Hotpatch.Tests.Unit.Packaging;

/// <summary>Manifests that are sound JSON and even signed by a trusted key, and still say what must not be acted on.</summary>
public sealed class RefusingManifests : IDisposable
{
    private readonly SignedPackages _packages = new();

    public void Dispose() => _packages.Dispose();

    [Fact]
    public void Accepts_the_manifest_that_the_others_differ_from() => Assert.Equal("object-1", Read(_ => { }).Manifest.Name);

    [Theory]
    [InlineData("name", "\"sample-1\\n\"", "its name must be")]
    [InlineData("name", "\"Sample\"", "its name must be")]
    [InlineData("level", "0", "its level must be")]
    [InlineData("severity", "\"dire\"", "its severity must be")]
    [InlineData("advisories", "[null]", "one of its advisories is null")]
    [InlineData("advisories", "[\"\"]", "an advisory id must have")]
    [InlineData("probes", "[null]", "one of its probes is null")]
    [InlineData("targets", "[null]", "one of its targets is null")]
    [InlineData("targets", "[]", "it must have 1 to 256 targets")]
    [InlineData("summary", "null", "summary")]
    [InlineData("summary", "\"\\ud800\"", "summary")]
    [InlineData("unheard", "1", "unheard")]
    public void Names_what_is_wrong_at_the_top(string member, string json, string reason) => AssertRefused(manifest => manifest[member] = Raw(json), reason);

    [Theory]
    [InlineData("buildId", "\"aaaaaaaaaaaaaaaa\\n\"", "a build-id must be")]
    [InlineData("buildId", "\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"", "two targets have the same build-id")]
    [InlineData("consistency", "7", "a consistency that is not known")]
    [InlineData("consistency", "\"later\"", "consistency")]
    [InlineData("functions", "[null]", "one of its functions is null")]
    [InlineData("symbols", "[null]", "one of its symbols is null")]
    [InlineData("objects", "[null]", "one of its objects is null")]
    public void Names_what_is_wrong_with_a_target(string member, string json, string reason) => AssertRefused(manifest => manifest["targets"]![0]![member] = Raw(json), reason);

    [Theory]
    [InlineData("functions", "object", "2", "names object 2, which is not there")]
    [InlineData("functions", "object", "-1", "names object -1, which is not there")]
    [InlineData("functions", "size", "0", "has a size of 0 bytes")]
    [InlineData("functions", "address", "18446744073709551615", "lies outside the address space")]
    [InlineData("functions", "sha256", "\"0000000000000000000000000000000000000000000000000000000000000000\\n\"", "has no sha256")]
    [InlineData("symbols", "object", "-2", "names object -2, which is not there")]
    [InlineData("symbols", "kind", "99", "is of a kind that is not known")]
    [InlineData("objects", "offset", "9223372036854775807", "lies outside the payload")]
    [InlineData("objects", "offset", "-1", "lies outside the payload")]
    [InlineData("objects", "length", "0", "lies outside the payload")]
    [InlineData("objects", "offset", "1", "does not match its sha256")]
    public void Names_what_is_wrong_in_a_list_of_a_target(string list, string member, string json, string reason) =>
        AssertRefused(manifest => manifest["targets"]![0]![list]![0]![member] = Raw(json), reason);

    [Fact]
    public void Refuses_objects_that_lie_over_one_another() => AssertRefused(
        manifest =>
        {
            var objects = manifest["targets"]![0]!["objects"]!.AsArray();
            for (var i = 0; i < 100; i++) objects.Add(objects[0]!.DeepClone());
        },
        "its objects are together longer than the payload");

    [Theory]
    [InlineData("[null]", "package.altered")]
    [InlineData("null", "package.unsigned")]
    [InlineData("[]", "package.unsigned")]
    [InlineData("{}", "package.altered")]
    [InlineData("[{\"keyId\":null,\"scheme\":\"\",\"signature\":\"\"}]", "package.altered")]
    [InlineData("[{\"keyId\":\"\",\"scheme\":\"\",\"signature\":\"\"}]", "package.untrusted_key")]
    public void Refuses_a_signature_block_that_nobody_signed_with(string block, string code)
    {
        var file = (PackageParts.Of(_packages.Members[0]) with { Signatures = Encoding.UTF8.GetBytes(block) }).ToFile();

        Assert.Equal(code, Assert.Throws<PackageFault>(() => PackageReader.ReadTrusted(file, _packages.Trust)).Code);
    }

    [Theory]
    [InlineData("none", "")]
    [InlineData("ecdsa-p256-sha256", "")]
    [InlineData("ecdsa-p256-sha256", "not base64!")]
    [InlineData("ecdsa-p256-sha256", "MAYCAQECAQE=")]       // a sound signature of nothing
    public void Refuses_a_signature_of_a_trusted_key_s_name_that_is_none(string scheme, string signature)
    {
        var entries = JsonSerializer.SerializeToUtf8Bytes(new[] { new SignatureEntry(_packages.KeyId, scheme, signature) }, JsonSerializerOptions.Web);
        var file = (PackageParts.Of(_packages.Members[0]) with { Signatures = entries }).ToFile();

        Assert.Equal("package.bad_signature", Assert.Throws<PackageFault>(() => PackageReader.ReadTrusted(file, _packages.Trust)).Code);
    }

    private void AssertRefused(Action<JsonObject> edit, string reason)
    {
        var fault = Assert.Throws<PackageFault>(() => Read(edit));
        Assert.Equal("package.manifest", fault.Code);
        Assert.Contains(reason, fault.Message, StringComparison.Ordinal);
    }

    private PatchPackage Read(Action<JsonObject> edit)
    {
        var parts = PackageParts.Of(_packages.Members[1]);
        var manifest = JsonNode.Parse(parts.Manifest)!.AsObject();
        edit(manifest);
        var text = manifest.ToJsonString().Replace("LONE", "\\ud800", StringComparison.Ordinal);
        return PackageReader.ReadTrusted(_packages.Sign(parts with { Manifest = Encoding.UTF8.GetBytes(text) }), _packages.Trust);
    }

    // Half of a surrogate pair can be in a file, and in no document.
    private static JsonNode? Raw(string json) => JsonNode.Parse(json.Replace("\\ud800", "LONE", StringComparison.Ordinal));
}
