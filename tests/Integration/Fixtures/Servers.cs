using Npgsql;
using Xunit;

namespace Hotpatch.Tests.Integration.Fixtures;

/// <summary>The real servers these tests need; <c>infra/test.sh</c> starts private ones and says where they are.</summary>
internal static class Servers
{
    public static string Postgres => Require("HOTPATCH_TEST_PG");

    /// <summary>All services under test share it, each in a schema of its own: hundreds of databases would take minutes to make.</summary>
    public static string Database { get; } = new NpgsqlConnectionStringBuilder(Postgres).Database!;

    public static string RabbitMq => Require("HOTPATCH_TEST_AMQP");

    /// <summary>The patcher program as it is shipped.</summary>
    public static string Patcher => Require("HOTPATCH_PATCHER");

    public static string NewSchema() => $"t_{Guid.CreateVersion7():N}"[..20] + Random.Shared.Next(1000, 9999);

    public static async Task DropSchema(string schema)
    {
        await using var connection = new NpgsqlConnection(Postgres);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand($"drop schema if exists \"{schema}\" cascade", connection);
        await command.ExecuteNonQueryAsync();
    }

    private static string Require(string variable)
    {
        var value = Environment.GetEnvironmentVariable(variable);
        Assert.True(!string.IsNullOrEmpty(value), $"{variable} is not set: run these tests through infra/test.sh, which starts a private PostgreSQL and RabbitMQ.");
        return value!;
    }
}
