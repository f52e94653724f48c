#!/usr/bin/env bash
# Makes an application from each of these templates of .NET, adds the line of README.md, and runs it as nodes of a cluster:
# it works, or says why it does not. Ends with a line "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/../../.."
repo=$PWD
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 ASPNETCORE_ENVIRONMENT=Production DOTNET_ENVIRONMENT=Production
work=$(mktemp -d)
pids=()
passed=0
failed=0

stop() {
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null
    wait "${pids[@]}" 2>/dev/null
    pids=()
}
trap 'stop; rm -rf "$work"' EXIT

check() {
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
        tail -n 20 "$work"/*.log
    fi
}

free_port() {
    local port
    while :; do
        port=$((15000 + RANDOM % 17000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# start NAME TEMPLATE KEY=VALUE...: one process, its output in NAME.log.
start() {
    local name=$1 template=$2
    shift 2
    (cd "$work/$template" && exec env "$@" dotnet "bin/Debug/net10.0/$template.dll" >"$work/$name.log" 2>&1) &
    pids+=($!)
}

within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.2
    done
}

answers() { [ "$(curl -s -m 2 -o /dev/null -w '%{http_code}' "${@:2}")" = "$1" ]; }
leads_one() { curl -sf -m 2 "$1/_ha/leader" | grep -q '"leader_url":"http'; }
redirects() { answers 307 -X POST -d x "$1/any" || answers 307 -X POST -d x "$2/any"; }

for template in webapi mvc blazor grpc worker; do
    dotnet new "$template" -o "$work/$template" --no-restore >/dev/null || exit 1
    sed -i '0,/^var builder = .*/s//&\nbuilder.Services.AddHa();/' "$work/$template/Program.cs"
    sed -i "0,/<\/PropertyGroup>/s##&\n  <ItemGroup><ProjectReference Include=\"$repo/src/Ha/Ha.csproj\" /></ItemGroup>#" "$work/$template/$template.csproj"
done
dotnet new sln -o "$work" -n Apps --format sln >/dev/null &&
    dotnet sln "$work/Apps.sln" add "$work"/*/*.csproj >/dev/null &&
    dotnet build "$work/Apps.sln" -v q --nologo >"$work/build.out" || { cat "$work/build.out"; exit 1; }

secret="BASE_CLUSTER_SECRET=$(openssl rand -base64 32)"
declare -A page=([webapi]=/weatherforecast [mvc]=/ [blazor]=/)
for template in webapi mvc blazor; do
    a=http://127.0.0.1:$(free_port) b=http://127.0.0.1:$(free_port)
    start "$template-a" "$template" "ASPNETCORE_URLS=$a" "BASE_LOCAL_TARGET=$a" "BASE_PEERS=$a,$b" "$secret" BASE_NODE_ID=a
    start "$template-b" "$template" "ASPNETCORE_URLS=$b" "BASE_LOCAL_TARGET=$b" "BASE_PEERS=$a,$b" "$secret" BASE_NODE_ID=b
    check "$template: both nodes know a leader" within 30 eval "leads_one $a && leads_one $b"
    check "$template: every node serves reads" eval "answers 200 $a${page[$template]} && answers 200 $b${page[$template]}"
    check "$template: the follower redirects a write" within 10 redirects "$a" "$b"
    stop
done

# Its appsettings.json has one listener, for HTTP/2 alone.
a=http://127.0.0.1:$(free_port) b=http://127.0.0.1:$(free_port)
start grpc grpc "ASPNETCORE_URLS=$a" "BASE_LOCAL_TARGET=$a" "BASE_PEERS=$a"
check "grpc: told who cannot ask it" within 20 grep -q "takes HTTP/2 only. Members speak that with each other" "$work/grpc.log"
stop
start grpc-mended grpc "Kestrel__Endpoints__Calls__Url=$a" Kestrel__Endpoints__Calls__Protocols=Http2 \
    "Kestrel__Endpoints__Nodes__Url=$b" Kestrel__Endpoints__Nodes__Protocols=Http1 "BASE_LOCAL_TARGET=$b" "BASE_PEERS=$b"
check "grpc: leads with a second listener" within 20 answers 200 "$b/_ha/healthz/leader"
stop

start worker worker "BASE_LOCAL_TARGET=$a" "BASE_PEERS=$a,$b" "$secret"
{ wait "${pids[0]}"; } 2>/dev/null
code=$?
check "worker: does not start with peers" test "$code" -ne 0
check "worker: told to use a web application" grep -q "this host has no web server.*WebApplication.CreateBuilder" "$work/worker.log"
pids=()

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
