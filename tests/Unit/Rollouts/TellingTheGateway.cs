using Hotpatch.Gateway;
using Hotpatch.Rollouts;
using Hotpatch.Rollouts.Saga;
using Hotpatch.Tests.Unit.Rollouts.Simulation;
using MassTransit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Hotpatch.Tests.Unit.Rollouts;

/// <summary>
/// What a rollout records reaches whoever acts on it, and nobody is told what nobody listens to: the broker refuses such a message, and the
/// announcements would stand still.
/// </summary>
public sealed class TellingTheGateway
{
    private static readonly HashSet<Type> Heard =
    [
        .. Consumed(typeof(LayOutOrders)), .. Consumed(typeof(KeepGates)),
        .. typeof(RolloutSaga).GetProperties().Select(property => property.PropertyType)
            .Where(type => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Event<>)).Select(type => type.GetGenericArguments()[0]),
    ];

    public static TheoryData<Type> Facts => [.. RolloutsPart.Facts];

    [Theory]
    [MemberData(nameof(Facts))]
    public void Announces_a_fact_that_somebody_acts_on_and_no_other(Type fact)
    {
        var announce = StoredFacts.AnnouncerOf(new Hotpatch.Rollouts.Announcements(null!, NullLogger<Hotpatch.Rollouts.Announcements>.Instance));
        var stored = StoredFacts.Wrap(System.Runtime.CompilerServices.RuntimeHelpers.GetUninitializedObject(fact), 1);

        Assert.Equal(Heard.Contains(fact), announce([stored]).Any());
    }

    private static IEnumerable<Type> Consumed(Type consumer) =>
        consumer.GetInterfaces().Where(type => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IConsumer<>)).Select(type => type.GetGenericArguments()[0]);
}
