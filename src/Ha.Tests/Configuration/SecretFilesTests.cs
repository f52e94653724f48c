using Ha.Security;

namespace Ha.Tests.Configuration;

public sealed class SecretFilesTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("ha-secrets-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Secrets_stand_one_per_line_or_with_commas()
    {
        var file = Write("first-secret-16-bytes\r\n\n second-secret-16-bytes ,third-secret-16-bytes\n");
        var fromFile = Settings.Parse(Settings.Cluster(("BASE_CLUSTER_SECRET", ""), ("BASE_CLUSTER_SECRET_FILE", file))).Keys.AtStart;
        var inline = Settings.Parse(Settings.Cluster(("BASE_CLUSTER_SECRET", "first-secret-16-bytes,second-secret-16-bytes,third-secret-16-bytes")));
        Assert.Equal(3, fromFile.Count);
        Assert.True(fromFile.IsSameAs(inline.Keys.AtStart));
    }

    [Fact]
    public void The_admin_token_comes_from_its_file()
    {
        var settings = Settings.Parse(Settings.Cluster(("BASE_ADMIN_TOKEN_FILE", Write("let-me-in-for-tests\n"))));
        Assert.True(settings.AdminToken!.AtStart.Matches("let-me-in-for-tests"));
        Assert.Contains(
            "holds 2 tokens; leave one", Settings.ProblemOfCluster(("BASE_ADMIN_TOKEN_FILE", Write("one-of-two-tokens\ntwo-of-two-tokens\n"))), StringComparison.Ordinal);
    }

    [Fact]
    public void A_variable_and_its_file_exclude_each_other() => Assert.EndsWith(
        "and BASE_CLUSTER_SECRET are both set; remove one of them.",
        Settings.ProblemOfCluster(("BASE_CLUSTER_SECRET_FILE", Write(Settings.Secret))),
        StringComparison.Ordinal);

    [Fact]
    public void A_missing_file_is_the_only_problem_named()
    {
        var path = Path.Combine(_folder.FullName, "missing");
        Assert.Equal(
            $"BASE_CLUSTER_SECRET_FILE ({path}) names a file that does not exist; create it or correct the path.",
            Settings.ProblemOfCluster(("BASE_CLUSTER_SECRET", ""), ("BASE_CLUSTER_SECRET_FILE", path)));
    }

    [Fact]
    public void An_empty_a_large_and_an_unreadable_file_are_refused()
    {
        Assert.Contains("names an empty file", ProblemOf(Write(" \n")), StringComparison.Ordinal);
        Assert.Contains("more than 64 KiB", ProblemOf(Write(new string('x', SecretText.MaxBytes + 1))), StringComparison.Ordinal);
        Assert.Contains("cannot be read", ProblemOf(_folder.FullName), StringComparison.Ordinal);
    }

    [Fact]
    public void Neither_a_short_secret_nor_one_written_in_place_of_a_path_is_shown()
    {
        Assert.DoesNotContain("hunter", ProblemOf(Write("hunter2")), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter", ProblemOf("hunter2hunter2hunter2"), StringComparison.Ordinal);
    }

    private static string ProblemOf(string path) =>
        Settings.ProblemOfCluster(("BASE_CLUSTER_SECRET", ""), ("BASE_CLUSTER_SECRET_FILE", path));

    private string Write(string content)
    {
        var path = Path.Combine(_folder.FullName, Path.GetRandomFileName());
        File.WriteAllText(path, content);
        return path;
    }
}
