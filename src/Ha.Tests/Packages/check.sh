#!/usr/bin/env bash
# Packs what is committed twice, in two places: the same bytes, and in each package what belongs there. Then does what README.md says, word
# for word, in an application outside this repository that has nothing but the packages, and runs that as a cluster. Needs unzip, curl and
# the sources of packages that this machine is set up with. Ends with a line "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/../../.."
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
work=$(mktemp -d)
log=$work/cluster.log
address=https://github.com/owner/name
commit=$(git rev-parse HEAD)
ha= at= next=
passed=0
failed=0

# Of each node its name, process and URL.
nodes() { sed -nE 's!^.*  (\w+) started \(pid ([0-9]+)\) at (http.*)$!\1 \2 \3!p' "$log" 2>/dev/null; }

# Those that `ha` started end with it; what it told of them is asked all the same.
stop() {
    exec 3>&-
    [ -z "$ha" ] || { kill "$ha"; wait "$ha"; } 2>/dev/null
    for pid in $(nodes | cut -d' ' -f2); do kill -9 "$pid" 2>/dev/null; done
    ha=
}
trap 'stop; rm -rf "$work"' EXIT
trap '' PIPE

check() {
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
    fi
}

run() { "$@" >"$work/out" 2>&1 || { cat "$work/out"; false; }; }
equal() { [ "$1" = "$2" ] || { diff <(echo "$1") <(echo "$2"); false; }; }

# pack SOURCE PLACE: a clone of it there, and its packages in PLACE.feed.
pack() {
    git clone -q "$1" "$2" && git -C "$2" remote set-url origin "$address.git" &&
        (cd "$2" && run dotnet pack Ha.sln -o "$2.feed" "-p:RepositoryUrl=$address;RunAnalyzers=false" --nologo -v q)
}

# block FILE LANGUAGE N: the Nth block of code in that language.
block() { awk -v fence="\`\`\`$2" -v n="$3" '/^```/ { on = !on && $0 == fence && ++k == n; next } on' "$1"; }

# build APPLICATION: with no warning. What sources of packages lack here is no fault of what is packed.
build() { run dotnet build "$1" --nologo -v q -warnaserror "-warnNotAsError:NU1603;NU1900;NU1905"; }

pack . "$work/one" && pack "$work/one" "$work/another/place" || exit 1
feed=$work/one.feed
mkdir "$work/content" "$work/apps"
mapfile -t packages < <(grep -l '<IsPackable>true' src/*/*.csproj | xargs -n 1 basename -s .csproj)
mapfile -t native < <(grep -l '<IsAotCompatible>true' $(grep -l '<IsPackable>true' src/*/*.csproj) | xargs -n 1 basename -s .csproj | grep -vx Ha.Cli)
version=$(basename "$feed"/Ha.[0-9]*.nupkg .nupkg)
version=${version#Ha.}

check "packages of all libraries and no other project" equal \
    "$(printf '%s\n' "${packages[@]/%/.$version.nupkg}" "${packages[@]/%/.$version.snupkg}" | sort)" "$(ls "$feed" | sort)"
for file in "$feed"/*; do
    check "${file##*/}: the same bytes in both places" cmp "$file" "$work/another/place.feed/${file##*/}"
done

# What a package may bring along, in the words of its nuspec.
declare -A dependencies=(
    [Ha]="Microsoft.AspNetCore.App NSec.Cryptography"
    [Ha.Cli]=""
    [Ha.Client]="Microsoft.Extensions.Http"
    [Ha.EntityFrameworkCore]="Ha Microsoft.EntityFrameworkCore.Relational"
    [Ha.Grpc]="Grpc.AspNetCore.Server Grpc.HealthCheck Ha"
    [Ha.Grpc.Client]="Grpc.HealthCheck Grpc.Net.ClientFactory"
    [Ha.Kubernetes]="Ha KubernetesClient"
    [Ha.PostgreSql]="Ha Npgsql"
    [Ha.Redis]="Ha StackExchange.Redis"
    [Ha.Testing]="Ha"
)

for package in "${packages[@]}"; do
    content=$work/content/$package
    unzip -q "$feed/$package.$version.nupkg" -d "$content" && unzip -q "$feed/$package.$version.snupkg" -d "$content.symbols" || exit 1
done
for package in "${packages[@]}"; do
    content=$work/content/$package
    nuspec=$content/$package.nuspec
    files=$(cd "$content" && find . -type f ! -path './_rels/*' ! -path './package/*' ! -name '\[Content_Types\].xml' -printf '%P\n' | sort)
    if [ "$package" = Ha.Cli ]; then
        settings=tools/net10.0/any/DotnetToolSettings.xml
        check "$package: a tool named ha" grep -q '<Command Name="ha" EntryPoint="Ha.Cli.dll"' "$content/$settings"
        check "$package: no documentation or translations" equal "$settings" "$(grep -E '\.(xml|resources\.dll)$' <<<"$files")"
        check "$package: starts on a newer .NET too" grep -q '"rollForward": "Major"' "$content/tools/net10.0/any/Ha.Cli.runtimeconfig.json"
        check "$package: native code for where tools run, and no other" equal "linux osx win" \
            "$(grep -oP '/runtimes/\K[a-z]+' <<<"$files" | sort -u | paste -sd ' ')"
        for library in $(grep -oP '[^/]+(?=\.dll$)' <<<"$files" | grep -vE '^Ha(\.Cli)?$' | sort -u); do
            check "$package: the licence of $library" grep -qw -- "$library" "$content/THIRD-PARTY-NOTICES.txt"
        done
    else
        check "$package: its files and no other" equal \
            "$(printf '%s\n' "$package.nuspec" README.md icon.png "lib/net10.0/$package.dll" "lib/net10.0/$package.xml" | sort)" "$files"
    fi

    for element in '<license type="expression">MIT<' '<icon>icon.png<' '<readme>README.md<' \
        "<repository type=\"git\" url=\"$address\" commit=\"$commit\""; do
        check "$package: says $element" grep -qF "$element" "$nuspec"
    done
    check "$package: depends on what it may and nothing else" equal "${dependencies[$package]-not said in check.sh}" \
        "$(grep -oP '<(dependency id|frameworkReference name)="\K[^"]*' "$nuspec" | sort | paste -sd ' ')"
    for friend in $(grep -oP 'InternalsVisibleTo Include="\K[^"]*' "src/$package/$package.csproj"); do
        # The tool has no dependencies: it carries the library along.
        [[ $friend == Ha.Cli || ! " ${packages[*]} " == *" $friend "* ]] || check "$friend: sees internals of $package and is bound to its version" \
            grep -qF "<dependency id=\"$package\" version=\"[$version]\"" "$work/content/$friend/$friend.nuspec"
    done
    symbols=$(find "$content.symbols" -name "$package.pdb")
    check "$package: symbols lead to the sources" grep -qaF "https://raw.githubusercontent.com/owner/name/$commit/" "$symbols"

    [ "$package" = Ha ] || check "$package: a README of its own" test -f "src/$package/README.md"
    check "$package: stands in docs/packages.md" grep -q "^|[^|]*\`$package\`" docs/packages.md
    links=$(grep -oP '\]\(\K[^)#][^)]*' "$content/README.md")
    check "$package: links of its README are absolute" equal "" "$(grep -v '^https://' <<<"$links")"
    for page in $(sed -n "s!^$address/blob/$commit/!!p" <<<"$links" | sed 's/#.*//' | sort -u); do
        [ -e "$page" ] || check "$package: its README leads to $page" false
    done
done

# From here on as somebody who has the packages alone. Whatever else is called Ha on any source is not meant.
export NUGET_PACKAGES=$work/nuget PATH=$work/tools:$PATH

{
    echo "<configuration><packageSources><add key=\"packed\" value=\"$feed\" /></packageSources><packageSourceMapping>"
    echo '<packageSource key="packed"><package pattern="Ha" /><package pattern="Ha.*" /></packageSource>'
    dotnet nuget list source | sed -nE 's!^ *[0-9]+\. +(.*) \[Enabled\]$!<packageSource key="\1"><package pattern="*" /></packageSource>!p'
    echo '</packageSourceMapping></configuration>'
} >"$work/apps/nuget.config"

sed -n '/^## Install/,$p' "$work/content/Ha/README.md" >"$work/install.md"
block "$work/install.md" sh 1 | sed "s!--global!--tool-path $work/tools!" >"$work/install.sh"
cd "$work/apps"
check "README: installed as it says" run bash -e "$work/install.sh"
block "$work/content/Ha/README.md" csharp 1 >Shop/Program.cs
check "README: builds without a warning" build Shop
mkfifo "$work/commands"
(cd Shop && exec bash -c "exec $(block "$work/install.md" sh 2)" <"$work/commands" >"$log" 2>&1) &
ha=$!
exec 3>"$work/commands"

within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || { tail -n 20 "$log"; return 1; }
        sleep 0.2
    done
}

leader() { curl -sf -m 2 "$1/_ha/leader" | grep -oP '"leader_url":"\Khttp[^"]+'; }
all_know_a_leader() { [ "$(nodes | wc -l)" = 3 ] && for url in $(nodes | cut -d' ' -f3); do leader "$url" || return; done; }
another_than() { nodes | cut -d' ' -f3 | grep -vxF "$(printf '%s\n' "$@")" | head -n 1; }

# written URL: the write is answered by the leader, which is another node than the one that was asked.
written() {
    local answer
    answer=$(curl -sL -m 20 -H 'Content-Type: application/json' -d '{"item":"book","quantity":2}' \
        -w ' %{http_code} %{url_effective}' "$1/orders")
    at=${answer##* } at=${at%/orders}
    [[ $answer == '{"item":"book","quantity":2} 200 '* ]] && [ "$at" != "$1" ] || { echo "$answer"; tail -n 20 "$log"; false; }
}

check "README: three nodes with a leader" within 120 all_know_a_leader
first=$(leader "$(another_than)")
check "README: a write through a follower" written "$(another_than "$first")"
check "README: it ran on the leader" equal "$first" "$at"
echo "kill leader" >&3
check "README: the leader was killed" within 10 eval "! curl -s -m 1 $first"
check "README: the others elect one" within 20 eval 'next=$(leader "$(another_than "$first")") && [ "$next" != "$first" ]'
check "README: a write through the other survivor" written "$(another_than "$first" "$next")"
check "README: it ran on the next leader" equal "$next" "$at"
echo quit >&3
check "README: the cluster ends when asked" within 20 eval "! kill -0 $ha"
check "README: no process is left" eval '! kill -0 $(nodes | cut -d" " -f2) 2>/dev/null'
stop

# The other packages: what their READMEs say, in an application of one package each.
for package in "${packages[@]}"; do
    [[ $package != Ha && $package != Ha.Cli ]] || continue
    template=web
    [ "$package" != Ha.Client ] || template=console
    [ "$package" != Ha.Testing ] || template=xunit
    readme=$work/content/$package/README.md
    block "$readme" sh 1 >"$work/install.sh"
    run dotnet new $template --output "App.$package" --no-restore
    check "$package: installed as its README says" run env --chdir "App.$package" bash -e "$work/install.sh"
    block "$readme" csharp 1 >"App.$package/Program.cs"
    check "$package: what its README says compiles without a warning" build "App.$package"
done
check "Ha.Client: an application with it does without ASP.NET Core" \
    eval '[ "$(grep -c AspNetCore App.Ha.Client/bin/Debug/net10.0/App.Ha.Client.runtimeconfig.json)" = 0 ]'
check "Ha.Testing: what its README says is so" run dotnet test App.Ha.Testing --no-build --nologo -v q

# All that say they are ready for native AOT, whole, as the compiler sees them with what they use; and each is called once.
mkdir App.Native
{
    echo '<Project Sdk="Microsoft.NET.Sdk.Web"><PropertyGroup><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings>'
    echo '<PublishAot>true</PublishAot><InvariantGlobalization>true</InvariantGlobalization>'
    # It is the compiler's words that count, not its code.
    echo '<Optimize>false</Optimize><NativeDebugSymbols>false</NativeDebugSymbols></PropertyGroup><ItemGroup>'
    for package in "${native[@]}"; do
        echo "<PackageReference Include=\"$package\" Version=\"$version\" /><TrimmerRootAssembly Include=\"$package\" />"
    done
    echo '</ItemGroup></Project>'
} >App.Native/App.Native.csproj
cat >App.Native/Program.cs <<'PROGRAM'
using System.Net;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Ha.Grpc.Client;
using Ha.Testing;
using Microsoft.AspNetCore.Server.Kestrel.Core;

var builder = WebApplication.CreateBuilder(args);
builder.WebHost.ConfigureKestrel(kestrel =>
{
    kestrel.Listen(IPAddress.Parse("127.0.0.1"), 0);
    kestrel.Listen(IPAddress.Parse("127.0.0.2"), 0, listener => listener.Protocols = HttpProtocols.Http2);
});
builder.Services.AddHa(o => o.UsePostgreSql().UseRedis());
builder.Services.AddHaGrpc();
var app = builder.Build();
app.MapHaGrpcHealth();
app.MapGrpcService<Own>();
app.MapPost("/orders", () => "ordered");
await app.StartAsync();
Uri At(string host) => app.Urls.Select(url => new Uri(url)).Single(url => url.Host == host);

var options = new GrpcChannelOptions { Credentials = ChannelCredentials.Insecure }.UseHaLeader();
using var channel = GrpcChannel.ForAddress($"ha:///{At("127.0.0.2").Authority}", options);
var health = new Health.HealthClient(channel.WithHaRepeats());
foreach (var service in new[] { "ha.Leader", "own" })
{
    Console.WriteLine($"{service}: {(await health.CheckAsync(new HealthCheckRequest { Service = service })).Status}");
}

var client = new ServiceCollection();
client.AddHttpClient("api").AddLeaderRouting(o => o.Nodes = [At("127.0.0.1").OriginalString]);
var factory = new DefaultServiceProviderFactory().CreateServiceProvider(client).GetRequiredService<IHttpClientFactory>();
Console.WriteLine(await (await factory.CreateClient("api").PostAsync("/orders", null)).Content.ReadAsStringAsync());

using var cluster = new TestCluster("a", "b", "c");
Console.WriteLine($"{cluster.ExpectOneLeader(TimeSpan.FromSeconds(5)).Id} leads");
await app.StopAsync();

class Own : Health.HealthBase
{
    public override Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context) =>
        Task.FromResult(new HealthCheckResponse { Status = HealthCheckResponse.Types.ServingStatus.NotServing });
}
PROGRAM
check "native AOT: no warning" run dotnet publish App.Native -o native --nologo -v q -warnaserror "-warnNotAsError:NU1603;NU1900;NU1905"
check "native AOT: each package is called" equal "ha.Leader: Serving
own: NotServing
ordered
a leads" "$(timeout 30 native/App.Native --Logging:LogLevel:Default=Warning 2>&1)"

# Somebody else's update of Ha alone: NuGet warns, and the application says so before it serves anything.
other=99.0.0
check "another version of Ha: packed" run env --chdir "$work/one" "SOURCE_DATE_EPOCH=$(date +%s)" \
    dotnet pack src/Ha -o "$feed" "-p:Version=$other;RepositoryUrl=$address;RunAnalyzers=false" --nologo -v q
check "another version of Ha: NuGet warns" eval 'dotnet add App.Ha.EntityFrameworkCore package Ha --version $other | grep -q NU1608'
check "another version of Ha: builds" run dotnet build App.Ha.EntityFrameworkCore --nologo -v q
check "another version of Ha: does not start" eval \
    '(timeout 30 dotnet App.Ha.EntityFrameworkCore/bin/Debug/net10.0/App.Ha.EntityFrameworkCore.dll 2>&1 || true) | grep "Ha.EntityFrameworkCore $version goes with Ha $version only.* has Ha $other\."'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
