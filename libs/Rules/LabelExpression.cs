namespace Hotpatch.Rules;

/// <summary>Which endpoints are meant, by their labels and traits.</summary>
public sealed class LabelExpression
{
    private LabelExpression(string text) => Text = text;

    public string Text { get; }
}
