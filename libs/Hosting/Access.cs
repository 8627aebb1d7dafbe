using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Hotpatch.Hosting;

/// <summary>
/// Who may speak to a service, and in whose name. One shared token (<c>Access:Token</c>) until operators have identities of their
/// own; the actor is what the caller says it is, and is recorded as such.
/// </summary>
public static class Access
{
    public const string ActorHeader = "Hotpatch-Actor";

    /// <summary>The name of a caller that gave none.</summary>
    public const string Anonymous = "anonymous";

    private const int ActorCharactersMax = 128;

    internal static void UseAccess(this WebApplication app)
    {
        var token = app.Configuration["Access:Token"];
        if (string.IsNullOrEmpty(token)) return;
        var expected = SHA256.HashData(Encoding.UTF8.GetBytes($"Bearer {token}"));
        app.UseWhen(
            context => context.Request.Path.StartsWithSegments("/api", StringComparison.Ordinal),
            branch => branch.Use(async (context, next) =>
            {
                var given = SHA256.HashData(Encoding.UTF8.GetBytes(context.Request.Headers.Authorization.ToString()));
                if (CryptographicOperations.FixedTimeEquals(given, expected)) await next(context);
                else await Problems.From(new Refusal(
                    "access.token_required", "Send 'Authorization: Bearer <token>'; the token is in your hotpatch context.", StatusCodes.Status401Unauthorized)).ExecuteAsync(context);
            }));
    }

    /// <summary>The name to record for a command: printable, at most 128 characters, <see cref="Anonymous"/> when none was given.</summary>
    public static string Actor(this HttpContext context)
    {
        var given = context.Request.Headers[ActorHeader].ToString();
        var clean = new string([.. given.Where(c => !char.IsControl(c)).Take(ActorCharactersMax)]).Trim();
        return clean.Length == 0 ? Anonymous : clean;
    }
}
