#!/usr/bin/env bash
# check.sh [native]: publishes the example in each way that .NET has, or as native AOT alone, starts what comes out and writes a note.
# Then three processes of the native binary are killed and rolled under load. Ends with a line "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/../../.."
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
work=$(mktemp -d)
pid=
passed=0
failed=0

stop() {
    [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null
    pid=
}
trap 'stop; rm -rf "$work"' EXIT

# check WAY ONE-FILE PROPERTY...: publishes, starts, writes and reads.
check() {
    local way=$1 files=$2 url=
    shift 2
    if ! dotnet publish examples/MinimalApiApp -c Release --use-current-runtime -o "$work/$way" --nologo -v q "$@" >"$work/$way.log" 2>&1; then
        failed=$((failed + 1))
        echo "FAILED: $way: does not publish"
        grep -E 'error|warning' "$work/$way.log" | sort -u | head -20
        return
    fi

    (cd "$work/$way" && ASPNETCORE_URLS=http://127.0.0.1:0 ConnectionStrings__Notes="Data Source=$work/$way.db" exec ./MinimalApiApp) >"$work/$way.log" 2>&1 &
    pid=$!
    for _ in $(seq 150); do
        url=$(grep -om1 'http://127.0.0.1:[0-9]*' "$work/$way.log") && break
        sleep 0.1
    done

    local answer
    answer=$(curl -s -m 10 -w ' %{http_code}' "$url/notes" -H 'Content-Type: application/json' -d '{"text":"hello"}')
    if [ "$(find "$work/$way" -name '*.dll' | wc -l)" -le "$files" ] && [[ $answer == '{"id":1,"text":"hello",'*' 201' ]] &&
        [[ $(curl -s -m 10 "$url/notes") == '[{"id":1,"text":"hello",'* ]]; then
        passed=$((passed + 1))
        echo "$way: $(du -sm --exclude='*.pdb' --exclude='*.xml' --exclude='*.dbg' "$work/$way" | cut -f1) MB"
    else
        failed=$((failed + 1))
        echo "FAILED: $way: answered $answer"
        tail -n 20 "$work/$way.log"
    fi
    stop
}

check native 0 -p:PublishAot=true
if [ "${1:-}" != native ]; then
    check trimmed 1000 -p:PublishTrimmed=true --self-contained
    check single-file 0 -p:PublishSingleFile=true -p:IncludeNativeLibrariesForSelfExtract=true --self-contained
    check ready-to-run 1000 -p:PublishReadyToRun=true --no-self-contained
fi

# .ci/run has built it by now.
if dotnet run -c Release ${CI:+--no-build} --project src/Ha.Tests -- writes --kills 3 --rolls 1 --app "$work/native/MinimalApiApp"; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
