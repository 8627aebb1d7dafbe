namespace Hotpatch.Agent;

/// <summary>One line an event on standard output, with UTC time: whoever runs the agent keeps it.</summary>
internal static class Log
{
    private static readonly Lock Gate = new();

    public static void Info(string text) => Write("info", text);
    public static void Warn(string text) => Write("warn", text);
    public static void Error(string text) => Write("fail", text);

    private static void Write(string level, string text)
    {
        lock (Gate) Console.WriteLine($"{TimeProvider.System.GetUtcNow():yyyy-MM-ddTHH:mm:ss.fffZ} {level}: {text.ReplaceLineEndings(" ")}");
    }
}
