using System.Diagnostics;
using System.Text.Json;
using Hotpatch.Contracts;
using Hotpatch.Contracts.Compliance;
using JasperFx.Events;
using JasperFx.Events.Daemon;
using JasperFx.Events.Projections;
using Marten;
using Marten.Subscriptions;
using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;

namespace Hotpatch.Hosting;

/// <param name="MessageId">Follows from the event: a page that is published again publishes the same ids.</param>
/// <param name="TraceParent">Trace the message belongs to; null starts a new one.</param>
public sealed record Announcement(object Message, Guid MessageId, string? TraceParent)
{
    /// <summary>Whose order alone counts: messages of other subjects may overtake it. Null = none may.</summary>
    public Guid? Subject { get; init; }
}

/// <summary>
/// Tells other services what this one has stored. The stream is the outbox: nothing is published inside a transaction; a
/// subscription reads what was committed, waits for the broker's confirmation and only then moves its position. So every event is
/// announced at least once and in order, and consumers must be idempotent.
/// </summary>
public abstract partial class Announcer : SubscriptionBase
{
    private const int PageEvents = 500, PublishedAtOnce = 64;

    // A broker that died between a message and its confirmation never sends it: the same message, with the same id, goes out again.
    private static readonly TimeSpan ConfirmMax = TimeSpan.FromSeconds(10);

    private readonly string _source;
    private readonly IBus _bus;
    private readonly ResiliencePipeline _publishing;

    protected Announcer(string source, IEnumerable<Type> events, IBus bus, ILogger log)
    {
        _source = source;
        _bus = bus;
        Name = $"{source}-announcements";
        Options.BatchSize = PageEvents;
        foreach (var type in events) IncludeType(type);
        // Giving up would pause the subscription; the broker coming back is only a matter of time.
        _publishing = new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions
        {
            MaxRetryAttempts = int.MaxValue,
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            Delay = TimeSpan.FromMilliseconds(100),
            MaxDelay = TimeSpan.FromSeconds(2),
            OnRetry = attempt =>
            {
                PublishFailed(log, source, attempt.AttemptNumber + 1, attempt.Outcome.Exception?.Message);
                return default;
            },
        }).AddTimeout(ConfirmMax).Build();
    }

    /// <summary>The messages other services act on, in the order of the page. Evidence for the ledger goes out without being asked for.</summary>
    protected abstract IEnumerable<Announcement> Announce(IReadOnlyList<IEvent> page);

    /// <summary>One stored fact as a message of its own.</summary>
    protected static Announcement Each(IEvent stored) => new(stored.Data, stored.Id, TraceContext.Of(stored));

    public sealed override async Task<IChangeListener> ProcessEventsAsync(
        EventRange page, ISubscriptionController controller, IDocumentOperations operations, CancellationToken cancellationToken)
    {
        var events = page.Events;
        var facts = events.Select(stored => new Fact(
            stored.Sequence, stored.Id, stored.StreamId, stored.Version, FactKinds.NameOf(stored.EventType), stored.Timestamp,
            JsonSerializer.SerializeToElement(stored.Data, stored.EventType, ContractJson.Options))).ToList();
        if (facts.Count > 0)
            await Publish(new Announcement(new EvidenceBatch(_source, facts[0].Sequence, facts[^1].Sequence, facts), StableId.From($"{_source}/{facts[0].Sequence}-{facts[^1].Sequence}"), null), cancellationToken);
        var together = new List<Announcement>();
        foreach (var announcement in Announce(events))
        {
            if (together.Count == PublishedAtOnce || announcement.Subject is null) await PublishTogether(together, cancellationToken);
            if (announcement.Subject is null) await Publish(announcement, cancellationToken);
            else together.Add(announcement);
        }
        await PublishTogether(together, cancellationToken);
        return NullChangeListener.Instance;
    }

    // A fleet that enrols is thousands of messages, and each confirmation takes the broker a write to its disk.
    private async Task PublishTogether(List<Announcement> announcements, CancellationToken cancellationToken)
    {
        await Task.WhenAll(announcements.GroupBy(announcement => announcement.Subject).Select(async subject =>
        {
            foreach (var announcement in subject) await Publish(announcement, cancellationToken);
        }));
        announcements.Clear();
    }

    private async Task Publish(Announcement announcement, CancellationToken cancellationToken)
    {
        // The daemon's own activity is no ancestor of the work that is announced.
        Activity.Current = null;
        using var activity = TraceContext.Source.StartActivity($"announce {announcement.Message.GetType().Name}", ActivityKind.Producer, announcement.TraceParent);
        await _publishing.ExecuteAsync(
            async attempt => await _bus.Publish(announcement.Message, announcement.Message.GetType(), context =>
            {
                context.MessageId = announcement.MessageId;
                // A broker drops what no queue is bound for and says nothing, unless it is told that somebody must listen.
                context.Mandatory = true;
            }, attempt).WaitAsync(attempt),
            cancellationToken);
    }

    [LoggerMessage(EventId = 2, Level = LogLevel.Warning, Message = "Announcing from {Source} failed (attempt {Attempt}), trying again: {Cause}")]
    private static partial void PublishFailed(ILogger log, string source, int attempt, string? cause);
}

internal static class AnnouncerRegistration
{
    public static void Register(IServiceCollection services, MartenServiceCollectionExtensions.MartenConfigurationExpression marten, IConfiguration configuration, IReadOnlyList<ServicePart> parts)
    {
        foreach (var announcer in parts.Select(part => part.Announcer).OfType<Type>())
        {
            typeof(AnnouncerRegistration).GetMethod(nameof(Add), System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)!
                .MakeGenericMethod(announcer).Invoke(null, [marten]);
        }
        if (MessageBus.IsInMemory(configuration)) services.AddHostedService<AnnounceAgain>();
    }

    private static void Add<T>(MartenServiceCollectionExtensions.MartenConfigurationExpression marten) where T : Announcer =>
        marten.AddSubscriptionWithServices<T>(ServiceLifetime.Singleton, _ => { });
}

/// <summary>
/// The in-memory bus forgets what it held when its process dies. Consumers are idempotent, so everything is simply announced again
/// at each start; nothing that was acknowledged is lost.
/// </summary>
internal sealed class AnnounceAgain(IDocumentStore store) : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        await store.Storage.ApplyAllConfiguredChangesToDatabaseAsync();
        await using var session = store.LightweightSession();
        session.QueueSqlCommand($"delete from {store.Options.Events.DatabaseSchemaName}.mt_event_progression where name like '%-announcements:%'");
        await session.SaveChangesAsync(cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
