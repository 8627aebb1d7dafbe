using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Hotpatch.Hosting;

/// <summary>
/// The database of one service, made on first use. Each service has its own: Marten's daemon will not pass a gap in the sequence of events
/// (a conflict, a crash of the server) while any session in the same database has an older transaction open, and the daemons' own locks
/// are such transactions. Of its own store it knows them; another service's in the same database would hold it for ever.
/// </summary>
internal sealed partial class StoreDatabase(string connectionString, ILogger<StoreDatabase> log) : IHostedLifecycleService
{
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(1);
    private const int PoolSizeDefault = 100, PoolSize = 40, AutoPrepared = 64;

    /// <summary>Connection string with the service's database and the server's settings in it.</summary>
    public static string Of(IConfiguration configuration, string service)
    {
        var connection = configuration.Require("Store:ConnectionString", "a PostgreSQL connection string, such as Host=localhost;Database=hotpatch;Username=hotpatch");
        NpgsqlConnectionStringBuilder settings;
        try
        {
            settings = new NpgsqlConnectionStringBuilder(connection);
        }
        catch (ArgumentException malformed)
        {
            throw new SettingFault($"Store:ConnectionString is not a PostgreSQL connection string: {malformed.Message} Write it like Host=localhost;Database=hotpatch;Username=hotpatch.", malformed);
        }
        settings.Database = configuration["Store:Database"] is { Length: > 0 } named ? named : $"{settings.Database ?? "hotpatch"}_{service}";
        // force_custom_plan: a store that grows from 3 streams to 100,000 keeps a sequential-scan plan inside Marten's append function
        // otherwise. client_connection_check_interval: a killed daemon's lock session ends in a second, not after its last sleep.
        settings.Options = $"{settings.Options} -c plan_cache_mode=force_custom_plan -c client_connection_check_interval=1000".Trim();
        if (settings.MaxPoolSize == PoolSizeDefault) settings.MaxPoolSize = PoolSize;
        // The same few statements come all day: parsed once a connection, planned each time.
        if (settings.MaxAutoPrepare == 0) settings.MaxAutoPrepare = AutoPrepared;
        return settings.ConnectionString;
    }

    /// <summary>Before every other start: Marten's puts itself first among those. Waits for the server, so that it does not matter who is started first.</summary>
    /// <exception cref="SettingFault">The database is not there, and this role may not make it.</exception>
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await EnsureExists(cancellationToken);
                return;
            }
            catch (NpgsqlException away) when (away.IsTransient || away.InnerException is System.Net.Sockets.SocketException)
            {
                LogAway(away.Message);
                await Task.Delay(RetryPause, cancellationToken);
            }
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(LogLevel.Warning, "PostgreSQL is out of reach; trying again in a second: {Reason}")]
    private partial void LogAway(string reason);

    private async Task EnsureExists(CancellationToken ct)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false };
        var name = settings.Database!;
        try
        {
            await using var present = new NpgsqlConnection(settings.ConnectionString);
            await present.OpenAsync(ct);
            return;
        }
        catch (PostgresException absent) when (absent.SqlState is PostgresErrorCodes.InvalidCatalogName)
        {
            settings.Database = "postgres";
        }
        try
        {
            await using var connection = new NpgsqlConnection(settings.ConnectionString);
            await connection.OpenAsync(ct);
            await using var create = new NpgsqlCommand($"create database \"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"", connection);
            await create.ExecuteNonQueryAsync(ct);
        }
        catch (PostgresException race) when (race.SqlState is PostgresErrorCodes.DuplicateDatabase or PostgresErrorCodes.UniqueViolation)
        {
            // Another instance of this service was first.
        }
        catch (PostgresException denied) when (denied.SqlState is PostgresErrorCodes.InsufficientPrivilege)
        {
            throw new SettingFault($"The database {name} does not exist, and {settings.Username} may not create it. Create it, or name another with Store:Database.", denied);
        }
    }
}
