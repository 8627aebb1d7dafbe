using Hotpatch.Hosting;
using Marten;
using MassTransit;

namespace Hotpatch.Compliance;

/// <summary>Who is exposed, since when, and the proof: the evidence ledger and what follows from it.</summary>
public sealed class CompliancePart : ServicePart
{
    public override string Name => "compliance";

    /// <summary>Nobody listens yet: conditional access will.</summary>
    public override Type? Announcer => null;

    public override void ConfigureStore(StoreOptions options)
    {
        options.Schema.For<LedgerRecord>().Identity(record => record.Id).Duplicate(record => record.At).DocumentAlias("ledger_record");
        options.Schema.For<LedgerHead>().Identity(head => head.Id).UseOptimisticConcurrency(true).DocumentAlias("ledger_head");
    }

    public override void ConfigureServices(IServiceCollection services, IConfiguration configuration) => services.AddSingleton<LedgerReader>();

    public override void ConfigureBus(IBusRegistrationConfigurator bus) => bus.AddConsumer<RecordEvidence, RecordEvidenceDefinition>();

    public override void MapRoutes(IEndpointRouteBuilder routes)
    {
        GetCompliance.Map(routes);
        GetAudit.Map(routes);
        GetLedger.Map(routes);
    }
}
