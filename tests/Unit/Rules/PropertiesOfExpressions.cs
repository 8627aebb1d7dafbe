using FsCheck;
using FsCheck.Fluent;
using Hotpatch.Rules;
using Xunit;

namespace Hotpatch.Tests.Unit.Rules;

/// <summary>Expressions written by chance, each beside a model that is nothing but C# over a dictionary.</summary>
public sealed class PropertiesOfExpressions
{
    private delegate bool Model(IReadOnlyDictionary<string, string> labels);

    private sealed record Written(string Text, Model Holds)
    {
        public override string ToString() => Text;
    }

    private static readonly string[] Names = ["zone", "tier", "in", "notin", "a.b/c", "with space", "\"", "é"];
    private static readonly string[] Values = ["a", "b", "", "in", "~x", "it's", "back\\slash", "(,)", "10", "9.10", "||"];
    private static readonly Config Often = Config.QuickThrowOnFailure.WithMaxTest(3000);

    [Fact]
    public void Mean_what_the_model_means() =>
        Check.One(Often, Prop.ForAll(Expressions().ToArbitrary(), Endpoints().ToArbitrary(), (written, labels) =>
            Parse(written.Text).Matches(labels, null) == written.Holds(labels)));

    [Fact]
    public void Read_back_from_their_canonical_text_as_the_same_expression() =>
        Check.One(Often, Prop.ForAll(Expressions().ToArbitrary(), Endpoints().ToArbitrary(), (written, labels) =>
        {
            var canonical = Parse(written.Text).ToString();
            var again = Parse(canonical);
            return again.ToString() == canonical && again.Matches(labels, null) == written.Holds(labels);
        }));

    [Fact]
    public void Explain_something_exactly_when_they_do_not_hold() =>
        Check.One(Often, Prop.ForAll(Expressions().ToArbitrary(), Endpoints().ToArbitrary(), (written, labels) =>
            Parse(written.Text).Explain(labels, null).Count == 0 == written.Holds(labels)));

    [Fact]
    public void Do_not_care_whether_a_fact_is_a_label_or_a_trait() =>
        Check.One(Often, Prop.ForAll(Expressions().ToArbitrary(), Endpoints().ToArbitrary(), (written, facts) =>
            Parse(written.Text).Matches(new Dictionary<string, string>(), facts) == written.Holds(facts)));

    [Fact]
    public void Are_read_or_refused_with_a_column_whatever_is_written() =>
        Check.One(Often.WithMaxTest(20_000), Prop.ForAll(Noise().ToArbitrary(), text =>
            LabelExpression.TryParse(text, out _, out var error)
                ? error is null
                : error.StartsWith("Column ", StringComparison.Ordinal) && error.EndsWith('.')));

    private static LabelExpression Parse(string text) =>
        LabelExpression.TryParse(text, out var expression, out var error) ? expression : throw new InvalidOperationException($"{text}: {error}");

    private static Gen<Written> Expressions() => Gen.Sized(size => Depth(Math.Min(size / 10, 3)));

    private static Gen<Written> Depth(int depth) => depth == 0
        ? Terms()
        : Gen.OneOf(
            Terms(),
            Joined(depth, ",", (parts, labels) => parts.All(part => part.Holds(labels))),
            Joined(depth, "||", (parts, labels) => parts.Any(part => part.Holds(labels))));

    private static Gen<Written> Joined(int depth, string sign, Func<Written[], IReadOnlyDictionary<string, string>, bool> holds) =>
        from count in Gen.Choose(1, 4)
        from parts in Gen.ArrayOf(Depth(depth - 1), count)
        from space in Gen.Elements("", " ")
        select new Written(string.Join(space + sign + space, parts.Select(part => $"({part.Text})")), labels => holds(parts, labels));

    private static Gen<Written> Terms() =>
        from name in Gen.Elements(Names)
        from value in Gen.Elements(Values)
        from other in Gen.Elements(Values)
        from form in Gen.Choose(0, 5)
        select form switch
        {
            0 => new Written(Quote(name), labels => labels.ContainsKey(name)),
            1 => new Written($"!{Quote(name)}", labels => !labels.ContainsKey(name)),
            2 => new Written($"{Quote(name)}={Quote(value)}", labels => labels.GetValueOrDefault(name) == value),
            3 => new Written($"{Quote(name)} != {Quote(value)}", labels => labels.GetValueOrDefault(name) != value),
            4 => new Written($"{Quote(name)} in ({Quote(value)},{Quote(other)})", labels => labels.TryGetValue(name, out var found) && (found == value || found == other)),
            _ => new Written($"{Quote(name)} notin({Quote(value)}, {Quote(other)})", labels => !labels.TryGetValue(name, out var found) || found != value && found != other),
        };

    private static Gen<Dictionary<string, string>> Endpoints() =>
        from names in Gen.SubListOf(Names)
        from values in Gen.ArrayOf(Gen.Elements(Values), Names.Length)
        select names.Zip(values).ToDictionary(pair => pair.First, pair => pair.Second);

    private static Gen<string> Noise() =>
        from pieces in Gen.ListOf(Gen.Elements("zone", "=", "!", "<", ">=", "(", ")", ",", "|", "||", "&", " in ", "notin", "\"", "'", "\\", "1.2", " ", "~", "*", "\0", "é", "\ud800"))
        select string.Concat(pieces);

    private static string Quote(string text) => $"'{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";
}
