using Xunit;

namespace Hotpatch.Tests.Integration.Fixtures;

/// <summary>One machine at a time, and nothing beside it: it would take the processors from tests that stop threads within milliseconds.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class VirtualMachines
{
    public const string Name = "virtual machines";
}
