using Ha.Configuration;

namespace Ha.Tests.Configuration;

public class DurationTextTests
{
    [Theory]
    [InlineData("500ms", 500)]
    [InlineData("1.5s", 1_500)]
    [InlineData("2m", 120_000)]
    [InlineData("1h", 3_600_000)]
    [InlineData("00:00:00.5", 500)]
    [InlineData("0:00:03", 3_000)]
    [InlineData("00:01:00", 60_000)]
    [InlineData("0", 0)]
    [InlineData("0.0", 0)]
    [InlineData("0s", 0)]
    [InlineData(" 250 MS ", 250)]
    [InlineData(".5s", 500)]
    [InlineData("0.001ms", 0.001)]
    public void A_written_duration_is_read(string text, double expectedMilliseconds)
    {
        Assert.True(DurationText.TryParse(text, out var duration, out var error), error);
        Assert.Equal(TimeSpan.FromMicroseconds(expectedMilliseconds * 1000), duration);
    }

    [Theory]
    [InlineData(null, "is empty")]
    [InlineData("", "is empty")]
    [InlineData("-1s", "is negative")]
    [InlineData("-00:00:01", "is negative")]
    [InlineData("500", "has no unit; write 500ms or 500s")]
    [InlineData("soon", "is not a duration")]
    [InlineData("xs", "is not a number with a unit")]
    [InlineData("1,5s", "is not a number with a unit")]
    [InlineData("1e3s", "is not a number with a unit")]
    [InlineData("5d", "is not a duration")]
    [InlineData("24:00:00", "form hh:mm:ss")]
    [InlineData("00:61:00", "form hh:mm:ss")]
    [InlineData("10:00", "form hh:mm:ss")]
    [InlineData("1.00:00:00", "form hh:mm:ss")]
    [InlineData("0.0001ms", "finer than a microsecond")]
    [InlineData("99999999999999999999h", "is too long")]
    [InlineData("ms", "is not a number with a unit")]
    public void What_is_no_duration_is_refused_with_a_remedy(string? text, string expected)
    {
        Assert.False(DurationText.TryParse(text, out var duration, out var error));
        Assert.Equal(TimeSpan.Zero, duration);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0", "0")]
    [InlineData("400ms", "400ms")]
    [InlineData("1500ms", "1.5s")]
    [InlineData("90s", "90s")]
    [InlineData("120s", "2m")]
    [InlineData("60m", "1h")]
    [InlineData("0.001ms", "0.001ms")]
    [InlineData("61.000001s", "61.000001s")]
    public void A_duration_is_shown_the_short_way_and_reads_back(string text, string expected)
    {
        Assert.True(DurationText.TryParse(text, out var duration, out _));
        Assert.Equal(expected, DurationText.Format(duration));
        Assert.True(DurationText.TryParse(expected, out var again, out _));
        Assert.Equal(duration, again);
    }

    [Fact]
    public void A_negative_duration_from_code_can_be_shown() =>
        Assert.Equal("-2s", DurationText.Format(TimeSpan.FromSeconds(-2)));
}
