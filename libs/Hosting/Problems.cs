using System.Diagnostics;
using JasperFx;
using JasperFx.Events;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Hotpatch.Hosting;

/// <summary>Every answer that is not a success is RFC 9457 problem+json with a stable code and a sentence that says what to do.</summary>
public static partial class Problems
{
    public static IResult From(Refusal refusal) => Results.Problem(Describe(refusal));

    public static IResult NotFound(string what, string reference) => From(new Refusal(
        $"{what}.not_found", $"There is no {what} '{reference}'. List them with 'hotpatch {what} list'.", StatusCodes.Status404NotFound));

    internal static void AddProblems(this IServiceCollection services)
    {
        // By default only the development environment says what was wrong with a request.
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        services.AddProblemDetails(options => options.CustomizeProblemDetails = Complete);
    }

    private static void Complete(ProblemDetailsContext context)
    {
        var problem = context.ProblemDetails;
        if (!problem.Extensions.ContainsKey("code"))
        {
            var status = problem.Status ?? StatusCodes.Status500InternalServerError;
            var described = Describe(new Refusal(CodeOf(status), DetailOf(status, context.HttpContext.Request), status));
            (problem.Type, problem.Title, problem.Detail) = (described.Type, described.Title, problem.Detail ?? described.Detail);
            problem.Extensions["code"] = CodeOf(status);
        }
        problem.Extensions["traceId"] = Activity.Current?.TraceId.ToString() ?? context.HttpContext.TraceIdentifier;
    }

    internal static void UseProblems(this WebApplication app)
    {
        var log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Hotpatch.Problems");
        app.UseExceptionHandler(new ExceptionHandlerOptions
        {
            SuppressDiagnosticsCallback = context => Expected(context.Exception) is not null,
            ExceptionHandler = async context =>
            {
                var failure = context.Features.Get<IExceptionHandlerFeature>()!.Error;
                var refusal = Expected(failure);
                if (refusal is null)
                {
                    Unexpected(log, context.Request.Path, failure);
                    refusal = new Refusal(
                        "internal", "This should not have happened. It is logged under the trace id; please report it.", StatusCodes.Status500InternalServerError);
                }
                await From(refusal).ExecuteAsync(context);
            },
        });
        app.UseStatusCodePages();
    }

    /// <summary>The failures of the world and of the request that a caller can do something about.</summary>
    private static Refusal? Expected(Exception failure) => failure switch
    {
        BadHttpRequestException bad => new Refusal(
            bad.StatusCode == StatusCodes.Status413PayloadTooLarge ? "request.too_large" : "request.malformed", Readable(bad), bad.StatusCode),
        _ when Infrastructure.IsLostRace(failure) => new Refusal(
            "stream.changed", "Somebody else changed this at the same moment. Read it again and repeat the command if it still makes sense.", StatusCodes.Status412PreconditionFailed),
        _ when Infrastructure.IsUnavailable(failure) => new Refusal(
            "store.unavailable", "The database is out of reach just now; nothing was changed. Repeat the command in a moment.", StatusCodes.Status503ServiceUnavailable),
        _ => null,
    };

    private static ProblemDetails Describe(Refusal refusal) => new()
    {
        Type = $"urn:hotpatch:problem:{refusal.Code}",
        Title = ReasonPhrases.GetReasonPhrase(refusal.Status),
        Status = refusal.Status,
        Detail = refusal.Detail,
        Extensions = { ["code"] = refusal.Code },
    };

    // The framework's sentence names parameters and JSON paths; the inner exception has the position.
    private static string Readable(BadHttpRequestException bad) =>
        bad.InnerException is System.Text.Json.JsonException json ? $"The request body is not the JSON this route expects: {json.Message}" : $"The request is not what this route expects: {bad.Message.TrimEnd('.')}.";

    private static string CodeOf(int status) => status switch
    {
        400 => "request.malformed",
        401 => "access.token_required",
        403 => "access.forbidden",
        404 => "route.not_found",
        405 => "route.method",
        413 => "request.too_large",
        415 => "request.media_type",
        _ => "internal",
    };

    private static string DetailOf(int status, HttpRequest request) => status switch
    {
        401 => "Send 'Authorization: Bearer <token>'; the token is in your hotpatch context.",
        404 => $"There is nothing at {request.Path}. The routes are listed in the services' READMEs.",
        405 => $"{request.Method} is not possible at {request.Path}.",
        415 => $"The content type '{request.ContentType}' is not accepted here.",
        413 => "The request is larger than this route takes.",
        _ => $"The request cannot be answered: {ReasonPhrases.GetReasonPhrase(status)}.",
    };

    [LoggerMessage(EventId = 1, Level = LogLevel.Error, Message = "Request {Path} failed in a way nobody planned for")]
    private static partial void Unexpected(ILogger log, string path, Exception failure);
}

/// <summary>Tells "the database or the broker is away for a moment", and "somebody else was faster", from every other failure.</summary>
public static class Infrastructure
{
    /// <summary>A stream has moved on from the version that was decided on.</summary>
    public static bool IsLostRace(Exception? failure)
    {
        for (; failure is not null; failure = failure.InnerException)
        {
            switch (failure)
            {
                case ConcurrencyException or EventStreamUnexpectedMaxEventIdException:
                // As the database says it, where the store does not translate: its own state for a version, and the keys of streams and positions.
                case PostgresException { SqlState: "MT003" }:
                case PostgresException { SqlState: PostgresErrorCodes.UniqueViolation, ConstraintName: { } key } when key.Contains("mt_streams", StringComparison.Ordinal) || key.Contains("stream_and_version", StringComparison.Ordinal):
                    return true;
            }
        }
        return false;
    }

    public static bool IsUnavailable(Exception? failure)
    {
        for (; failure is not null; failure = failure.InnerException)
        {
            switch (failure)
            {
                // Class 08: connection; 53: resources; 57P01-57P03: shutting down, starting up (PostgreSQL manual, appendix A).
                case PostgresException { SqlState: var state } when state.StartsWith("08", StringComparison.Ordinal) || state.StartsWith("53", StringComparison.Ordinal) || state.StartsWith("57P", StringComparison.Ordinal):
                case NpgsqlException { IsTransient: true } and not PostgresException:
                case System.Net.Sockets.SocketException:
                case EndOfStreamException:
                    return true;
            }
        }
        return false;
    }
}
