namespace Hotpatch.Tests.Fuzz;

/// <summary>A parser under attack: how its inputs are made, and what it must answer to any bytes at all.</summary>
public interface IFuzzedParser
{
    /// <summary>As it is called on the command line.</summary>
    string Name { get; }

    /// <summary>What one input may allocate beside a multiple of its size, bytes: a bound the product itself states.</summary>
    long AllowanceBytes => 0;

    /// <summary>The next input; depends on nothing but the dice and the corpus.</summary>
    byte[] Make(Dice dice);

    /// <summary>Reads an input to the end, everything that is read lazily included.</summary>
    /// <returns>Whether it was accepted; false when it was refused the way the parser documents.</returns>
    /// <exception cref="Exception">Anything that comes out is a finding.</exception>
    bool Accepts(byte[] input);
}

/// <summary>The parser gave an answer that cannot be right.</summary>
public sealed class WrongAnswer(string message) : Exception(message)
{
    public static void Unless(bool holds, string otherwise)
    {
        if (!holds) throw new WrongAnswer(otherwise);
    }
}
