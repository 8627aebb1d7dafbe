using System.Text.Json;
using System.Text.Json.Serialization;
using Hotpatch.Contracts.Gateway;

namespace Hotpatch.Contracts;

/// <summary>
/// The one way these records become JSON, in event stores, on the bus, over REST and in agents' journals:
/// camelCase names, enums as camelCase words, no nulls, UTC instants.
/// </summary>
[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = false)]
[JsonSerializable(typeof(InventoryReported))]
[JsonSerializable(typeof(PatchApplied))]
[JsonSerializable(typeof(PatchRolledBack))]
[JsonSerializable(typeof(PatchRefused))]
[JsonSerializable(typeof(PatchFaulted))]
[JsonSerializable(typeof(HealthVerified))]
[JsonSerializable(typeof(HealthRegressed))]
[JsonSerializable(typeof(PatchedProcessExited))]
[JsonSerializable(typeof(PatchDrifted))]
[JsonSerializable(typeof(NewcomerPatched))]
[JsonSerializable(typeof(PackageUpdated))]
[JsonSerializable(typeof(PackageUpdateFailed))]
[JsonSerializable(typeof(PatchRetired))]
[JsonSerializable(typeof(OrderCompleted))]
public sealed partial class ReportJson : JsonSerializerContext;

/// <summary>Options for callers that may use reflection (the services, the CLI); agents use <see cref="ReportJson"/>.</summary>
public static class ContractJson
{
    public static readonly JsonSerializerOptions Options = Create();

    public static void Configure(JsonSerializerOptions options)
    {
        options.PropertyNamingPolicy = JsonNamingPolicy.CamelCase;
        options.PropertyNameCaseInsensitive = true;
        options.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
    }

    private static JsonSerializerOptions Create()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web);
        Configure(options);
        return options;
    }
}

/// <summary>An enum as a camelCase word. Put on every enum that leaves a process.</summary>
public sealed class CamelCaseEnum<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.CamelCase, allowIntegerValues: false) where T : struct, Enum;
