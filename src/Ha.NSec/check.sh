#!/usr/bin/env bash
# Builds Ha.NSec and runs the key tests with Ed25519, where NuGet finds NSec.Cryptography. An argument names one more
# package source, such as a folder; what comes from there stays out of this machine's package cache.
set -uo pipefail
cd "$(dirname "$0")/../.."
tests=src/Ha.NSec.Tests
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

more=()
[ $# -eq 0 ] || more=("-p:RestoreAdditionalProjectSources=$(realpath "$1" 2>/dev/null || echo "$1")" "-p:RestorePackagesPath=$out/packages")

if ! dotnet restore "$tests" --nologo "${more[@]}" >"$out/restore" 2>&1; then
    # Not found, or no source can be reached: no fault of this code. Anything else is.
    if grep -Eq 'NU1101: .*(NSec\.Cryptography|libsodium)|NU1102: .*(NSec\.Cryptography|libsodium)|NU1301' "$out/restore"; then
        echo "Ha.NSec was neither built nor tested: no package source here has NSec.Cryptography."
        echo "0 passed, 0 failed"
        exit 0
    fi
    cat "$out/restore"
    exit 1
fi

dotnet test "$tests" --no-restore --nologo "${more[@]}" >"$out/test" 2>&1
code=$?
cat "$out/test"
awk -F'[:,]' '/Failed:.*Passed:.*Total:/ { f += $2; p += $4 } END { printf "%d passed, %d failed\n", p, f }' "$out/test"
exit "$code"
