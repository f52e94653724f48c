#!/usr/bin/env bash
# Compiles the client for JavaScript, checks its types and those of its tests, packs it, runs the example of its README from the
# package, and its tests in Node.js and Chromium. Ends with a line "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

check() {
    local what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
        tail -n 40 "$work/log"
    fi
}

# An application that knows the package alone: its types are those that are exported, and its files all there.
packed() {
    npm pack --silent --pack-destination "$work" && mkdir -p "$work/app" &&
        tar -xzf "$work"/ha-client-*.tgz -C "$work/app" && mkdir -p "$work/app/node_modules" && mv "$work/app/package" "$work/app/node_modules/ha-client" &&
        sed -n '/^```ts$/,/^```$/{/^```/d;p}' README.md >"$work/app/readme.ts" && [ -s "$work/app/readme.ts" ] &&
        node node_modules/typescript/bin/tsc --strict --target ES2022 --module NodeNext --types node --typeRoots node_modules/@types \
            --outDir "$work/app" "$work/app/readme.ts" &&
        [ -f "$work/app/node_modules/ha-client/LICENSE" ] && [ ! -e "$work/app/node_modules/ha-client/src" ]
}

tests() {
    local p f code
    node --test --test-reporter=spec test/*.test.js >"$work/tests" 2>&1
    code=$?
    p=$(sed -nE 's/^ℹ pass ([0-9]+)$/\1/p' "$work/tests")
    f=$(sed -nE 's/^ℹ (fail|cancelled|skipped) ([0-9]+)$/\2/p' "$work/tests" | awk '{ n += $1 } END { print n + 0 }')
    [ "$code" -eq 0 ] || [ "$f" -gt 0 ] || f=1
    [ "$f" -eq 0 ] || { echo "FAILED: tests" && tail -n 80 "$work/tests"; }
    passed=$((passed + ${p:-0})) failed=$((failed + f))
}

check "npm ci" npm ci --ignore-scripts --prefer-offline --no-fund
check "compilation" npm run --silent build
check "types of the tests" node node_modules/typescript/bin/tsc -p test
check "package, and its README" packed
tests

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
