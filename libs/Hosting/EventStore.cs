using System.Diagnostics;
using Hotpatch.Contracts;
using JasperFx;
using JasperFx.Events;
using JasperFx.Events.Daemon;
using JasperFx.OpenTelemetry;
using Marten;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Weasel.Core;

namespace Hotpatch.Hosting;

/// <summary>The settings every store shares; each was chosen against a measured failure.</summary>
internal static class EventStore
{
    public static void AddEventStore(this IServiceCollection services, IConfiguration configuration, string service, IReadOnlyList<ServicePart> parts)
    {
        var connection = StoreDatabase.Of(configuration, service);
        services.AddHostedService(provider => new StoreDatabase(connection, provider.GetRequiredService<ILogger<StoreDatabase>>()));
        var marten = services.AddMarten(options =>
        {
            options.Connection(connection);
            if (configuration["Store:Schema"] is { Length: > 0 } named) options.DatabaseSchemaName = named;
            options.AutoCreateSchemaObjects = AutoCreate.CreateOrUpdate;
            options.UseSystemTextJsonForSerialization(EnumStorage.AsString, Casing.CamelCase, configure: ContractJson.Configure);
            options.DisableNpgsqlLogging = true;

            options.Events.StreamIdentity = StreamIdentity.AsGuid;
            options.Events.AppendMode = EventAppendMode.QuickWithServerTimestamps;
            // With the identity map on, FetchForWriting followed by an append hands out an aggregate that counted its events twice.
            options.Events.UseIdentityMapForAggregates = false;
            // Subscribers hear of a commit in about 10 ms rather than at the next poll, half a second later.
            options.Events.UseListenNotifyForEventAppends = true;
            // The leader's lock as a transaction, and watched: the package that gives session locks on a data source is not to be had.
            options.Events.UseAdvisoryLockTransaction = true;
            options.Events.UseMonitoredAdvisoryLock = true;
            // An event whose id follows from its cause (StableId) cannot be stored twice.
            options.Events.EnableUniqueIndexOnEventId = true;
            options.Events.MetadataConfig.CorrelationIdEnabled = true;
            options.Events.MetadataConfig.CausationIdEnabled = true;
            options.Events.MetadataConfig.HeadersEnabled = true;
            foreach (var (name, type) in FactKinds.ByName) options.Events.MapEventType(type, name);

            // A projection that skips what it cannot apply would report compliance that is not there. It stops, loudly, instead.
            options.Projections.Errors.SkipApplyErrors = false;
            options.Projections.Errors.SkipSerializationErrors = false;
            options.Projections.Errors.SkipUnknownEvents = false;
            // A transaction that lost a race leaves a hole in the sequence, and no subscriber passes it until this time is over: a stop would wait
            // as long. Short is safe: the daemon looks for a transaction that could still fill the hole, and waits on if there is one.
            options.Projections.StaleSequenceThreshold = TimeSpan.FromMilliseconds(300);
            options.OpenTelemetry.TrackConnections = TrackLevel.Normal;
            options.OpenTelemetry.TrackEventCounters();

            options.Schema.For<SourceMark>().Identity(mark => mark.Id).UseNumericRevisions(true);
            foreach (var part in parts) part.ConfigureStore(options);
        })
        .UseLightweightSessions()
        .BuildSessionsWith<TracedSessions>()
        .ApplyAllDatabaseChangesOnStartup()
        .AddAsyncDaemon(DaemonMode.HotCold);

        AnnouncerRegistration.Register(services, marten, configuration, parts);
    }
}

/// <summary>Sessions that carry the caller's trace into every event they store, so that a trace goes on after the daemon picks it up.</summary>
internal sealed class TracedSessions(IDocumentStore store) : ISessionFactory
{
    public IQuerySession QuerySession() => store.QuerySession();

    public IDocumentSession OpenSession()
    {
        var session = store.LightweightSession();
        if (Activity.Current is { Id: { } id } activity)
        {
            session.SetHeader(TraceContext.Header, id);
            session.CorrelationId = activity.TraceId.ToString();
        }
        return session;
    }
}

public static class TraceContext
{
    public const string Header = "traceparent";
    public static readonly ActivitySource Source = new("Hotpatch");

    /// <summary>The W3C trace context an event was stored under, or null.</summary>
    public static string? Of(IEvent stored) => stored.Headers?.TryGetValue(Header, out var value) == true ? value?.ToString() : null;
}

/// <summary>How far a consumer has taken in one source's log: pages repeat, the mark does not go back.</summary>
public sealed class SourceMark
{
    public required string Id { get; init; }
    public long Sequence { get; set; }
}
