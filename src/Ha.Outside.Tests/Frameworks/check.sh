#!/usr/bin/env bash
# Ha.Testing depends on no test framework: the same test under NUnit, MSTest and xunit, each in a project of its own.
# Ends with a line "N passed, N failed".
set -uo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

version() {
    grep -oP "Include=\"$1\" Version=\"\K[^\"]+" "$root/Directory.Packages.props"
}

# Name, using, attribute of the class, attribute of a test, packages as name=version.
project() {
    local name=$1 using=$2 class=$3 test=$4 references=
    shift 4
    for package in "$@"; do
        references+="<PackageReference Include=\"${package%=*}\" Version=\"${package#*=}\" />"
    done
    mkdir "$work/$name"
    echo '<Project />' | tee "$work/$name/Directory.Build.props" "$work/$name/Directory.Packages.props" >/dev/null
    cat >"$work/$name/$name.csproj" <<PROJECT
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <TargetFramework>net10.0</TargetFramework>
    <ImplicitUsings>enable</ImplicitUsings>
    <IsPackable>false</IsPackable>
  </PropertyGroup>
  <ItemGroup>
    <FrameworkReference Include="Microsoft.AspNetCore.App" />
    <PackageReference Include="Microsoft.NET.Test.Sdk" Version="$(version Microsoft.NET.Test.Sdk)" />
    $references
    <ProjectReference Include="$root/src/Ha.Testing/Ha.Testing.csproj" />
  </ItemGroup>
</Project>
PROJECT
    cat >"$work/$name/Tests.cs" <<TESTS
using Ha.Testing;
using $using;

$class
public class Tests
{
    $test
    public async Task A_crash_is_survived()
    {
        await Task.Yield();
        using var cluster = new TestCluster("a", "b", "c");
        cluster.ExpectOneLeader(TimeSpan.FromSeconds(5)).Kill();
        cluster.ExpectOneLeader(TimeSpan.FromSeconds(5));
        cluster.ExpectNeverTwoLeaders();
    }

    $test
    public async Task A_leadership_is_handed_over()
    {
        var leadership = new FakeLeadership();
        await leadership.HandOverAsync("b");
        if (leadership.RedirectTarget != "http://b.example") throw new Exception(leadership.RedirectTarget);
    }
}
TESTS
    local out
    if out=$(dotnet test "$work/$name" --nologo -v q 2>&1) && grep -q 'Passed: *2,' <<<"$out"; then
        echo "$name: ok"
        passed=$((passed + 1))
    else
        echo "$out"
        failed=$((failed + 1))
    fi
}

project UnderNUnit NUnit.Framework "[TestFixture]" "[Test]" NUnit=5.0.0 NUnit3TestAdapter=6.3.1
project UnderMSTest Microsoft.VisualStudio.TestTools.UnitTesting "[TestClass]" "[TestMethod]" MSTest.TestFramework=4.5.3 MSTest.TestAdapter=4.5.3
project UnderXunit Xunit "" "[Fact]" "xunit=$(version xunit)" "xunit.runner.visualstudio=$(version xunit.runner.visualstudio)"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
