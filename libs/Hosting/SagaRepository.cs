using System.Collections.Concurrent;
using System.Text.Json.Serialization;
using JasperFx.Events;
using Marten;
using MassTransit;
using MassTransit.Configuration;
using MassTransit.Context;
using MassTransit.Middleware;
using MassTransit.Saga;
using Microsoft.Extensions.DependencyInjection;

namespace Hotpatch.Hosting;

/// <summary>
/// A saga whose instance is the fold of its own event stream: loading replays, saving appends what was raised, under the version
/// that was loaded. There is no second copy of its state to drift, and its audit and time travel come for free.
/// </summary>
public abstract class EventSourcedSaga : SagaStateMachineInstance
{
    private readonly List<object> _raised = [];

    public Guid CorrelationId { get; set; }

    /// <summary>Set by the fold; the state machine's own transition must agree with it.</summary>
    public string CurrentState { get; set; } = "";

    [JsonIgnore]
    internal IReadOnlyList<object> Raised => _raised;

    /// <summary>Records an event: it takes effect on this instance now and is stored when the message has been handled.</summary>
    public void Raise(object fact)
    {
        Fold(fact);
        _raised.Add(fact);
    }

    /// <summary>Version of the stream this instance has taken in.</summary>
    [JsonIgnore]
    internal long StreamVersion { get; set; }

    internal void ClearRaised() => _raised.Clear();

    /// <summary>Takes one event into this state. Must know every event the stream can hold.</summary>
    public abstract void Fold(object fact);
}

public static class SagaRepository
{
    /// <summary>Keeps the saga in its own stream, in the session and transaction of the message being handled.</summary>
    public static ISagaRegistrationConfigurator<T> StreamRepository<T>(this ISagaRegistrationConfigurator<T> saga) where T : EventSourcedSaga, new()
    {
        saga.Repository(repository =>
        {
            repository.RegisterLoadSagaRepository<T, StreamSagaFactory<T>>();
            repository.RegisterSagaRepository<T, IDocumentSession, SagaConsumeContextFactory<IDocumentSession, T>, StreamSagaFactory<T>>();
        });
        return saga;
    }

    /// <summary>The saga as its stream has it now, or null.</summary>
    public static async Task<T?> LoadSaga<T>(this IQuerySession session, Guid id, long version = 0, DateTimeOffset? at = null, CancellationToken ct = default) where T : EventSourcedSaga, new()
    {
        var events = await session.Events.FetchStreamAsync(id, version, at, token: ct);
        return events.Count == 0 ? null : Replay<T>(id, events);
    }

    internal static T Replay<T>(Guid id, IReadOnlyList<IEvent> events) where T : EventSourcedSaga, new()
    {
        var saga = new T { CorrelationId = id };
        Advance(saga, events);
        return saga;
    }

    internal static void Advance<T>(T saga, IReadOnlyList<IEvent> events) where T : EventSourcedSaga
    {
        foreach (var stored in events) saga.Fold(stored.Data);
        if (events.Count > 0) saga.StreamVersion = events[^1].Version;
    }
}

/// <summary>
/// Sagas as they were after their last message, so that the next one reads only what was added since. Whoever takes one has it alone and
/// gives it back when everything it raised is stored; one that is not given back is read from its stream again.
/// </summary>
internal static class WarmSagas<T> where T : EventSourcedSaga
{
    private const int KeptMax = 128;
    private static readonly ConcurrentDictionary<(IDocumentStore Store, Guid Id), T> Kept = new();

    public static T? Take(IDocumentStore store, Guid id) => Kept.TryRemove((store, id), out var saga) ? saga : null;

    public static void Give(IDocumentStore store, T saga)
    {
        if (Kept.Count >= KeptMax) Kept.Clear();
        Kept[(store, saga.CorrelationId)] = saga;
    }
}

internal sealed class StreamSagaFactory<T>(IDocumentStore store, ISagaConsumeContextFactory<IDocumentSession, T> factory)
    : ISagaRepositoryContextFactory<T>, ILoadSagaRepositoryContextFactory<T> where T : EventSourcedSaga, new()
{
    public void Probe(ProbeContext context) => context.Add("persistence", "marten-stream");

    public async Task Send<TMessage>(ConsumeContext<TMessage> context, IPipe<SagaRepositoryContext<T, TMessage>> next) where TMessage : class
    {
        // The scope MassTransit made for this message holds the session its activities use too: one transaction.
        if (context.TryGetPayload(out IServiceProvider? scope) && scope.GetService<IDocumentSession>() is { } shared)
        {
            await next.Send(new StreamSagaContext<T, TMessage>(shared, context, factory));
            return;
        }
        await using var own = store.LightweightSession();
        await next.Send(new StreamSagaContext<T, TMessage>(own, context, factory));
    }

    public Task SendQuery<TMessage>(ConsumeContext<TMessage> context, ISagaQuery<T> query, IPipe<SagaRepositoryQueryContext<T, TMessage>> next) where TMessage : class =>
        throw new NotSupportedException("A saga kept in a stream is found by its id only.");

    public async Task<TResult> Execute<TResult>(Func<LoadSagaRepositoryContext<T>, Task<TResult>> load, CancellationToken cancellationToken) where TResult : class
    {
        await using var session = store.QuerySession();
        return await load(new StreamSagaLoad<T>(session, cancellationToken));
    }
}

internal sealed class StreamSagaLoad<T>(IQuerySession session, CancellationToken ct) : BasePipeContext(ct), LoadSagaRepositoryContext<T> where T : EventSourcedSaga, new()
{
    public async Task<T> Load(Guid correlationId) => (await session.LoadSaga<T>(correlationId, ct: CancellationToken))!;
}

internal sealed class StreamSagaContext<T, TMessage>(IDocumentSession session, ConsumeContext<TMessage> message, ISagaConsumeContextFactory<IDocumentSession, T> factory)
    : ConsumeContextScope<TMessage>(message), SagaRepositoryContext<T, TMessage> where T : EventSourcedSaga, new() where TMessage : class
{
    private readonly ConsumeContext<TMessage> _message = message;

    public Task<SagaConsumeContext<T, TOther>> CreateSagaConsumeContext<TOther>(ConsumeContext<TOther> context, T instance, SagaConsumeContextMode mode) where TOther : class =>
        factory.CreateSagaConsumeContext(session, context, instance, mode);

    public Task<SagaConsumeContext<T, TMessage>> Add(T instance) =>
        factory.CreateSagaConsumeContext(session, _message, instance, SagaConsumeContextMode.Add);

    // Null tells MassTransit to load instead: a stream cannot be reserved before it has an event.
    public Task<SagaConsumeContext<T, TMessage>> Insert(T instance) => Task.FromResult<SagaConsumeContext<T, TMessage>>(null!);

    public async Task<SagaConsumeContext<T, TMessage>> Load(Guid correlationId)
    {
        var saga = WarmSagas<T>.Take(session.DocumentStore, correlationId);
        var events = await session.Events.FetchStreamAsync(correlationId, fromVersion: saga is null ? 0 : saga.StreamVersion + 1, token: CancellationToken);
        if (saga is null && events.Count == 0) return null!;
        saga ??= new T { CorrelationId = correlationId };
        SagaRepository.Advance(saga, events);
        return await factory.CreateSagaConsumeContext(session, _message, saga, SagaConsumeContextMode.Load);
    }

    public Task Save(SagaConsumeContext<T> context) => Append(context.Saga);

    public Task Update(SagaConsumeContext<T> context) => Append(context.Saga);

    public Task Delete(SagaConsumeContext<T> context) => Append(context.Saga);

    public Task Discard(SagaConsumeContext<T> context) => Task.CompletedTask;

    public Task Undo(SagaConsumeContext<T> context)
    {
        session.EjectAllPendingChanges();
        return Task.CompletedTask;
    }

    private async Task Append(T saga)
    {
        if (saga.Raised.Count > 0)
        {
            await StreamLock.TakeAt(session, saga.CorrelationId, saga.StreamVersion, CancellationToken);
            var version = saga.StreamVersion + saga.Raised.Count;
            if (saga.StreamVersion > 0) session.Events.Append(saga.CorrelationId, version, [.. saga.Raised]);
            else session.Events.StartStream(saga.CorrelationId, [.. saga.Raised]);
            saga.ClearRaised();
            await session.SaveChangesAsync(CancellationToken);
            saga.StreamVersion = version;
        }
        WarmSagas<T>.Give(session.DocumentStore, saga);
    }
}
