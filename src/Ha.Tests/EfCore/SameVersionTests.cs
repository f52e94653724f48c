namespace Ha.Tests.EfCore;

/// <summary>What an application says that names another version of Ha: src/Ha.Tests/Packages/check.sh makes one.</summary>
public class SameVersionTests
{
    [Fact]
    public void A_package_that_sees_internals_of_Ha_takes_its_own_version_only()
    {
        SameVersion.Check();
        Assert.Null(SameVersion.Problem("Ha.Some", "0.2.0-rc.1", "0.2.0-rc.1"));
        Assert.Equal(
            "Ha.Some 0.2.0-rc.1 goes with Ha 0.2.0-rc.1 only, and this application has Ha 0.2.0. Reference both in one version.",
            SameVersion.Problem("Ha.Some", "0.2.0-rc.1", "0.2.0"));
    }
}
