#!/usr/bin/env bash
# Checks the files here with the real tools, as far as that goes without a cluster, a container engine or systemd running.
# Needs Debian's systemd, docker-compose, python3-kubernetes and prometheus. Ends with "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

check() {
    local name=$1 said
    shift
    # verify finds faults that do not change its exit code; none of these tools has anything to say about a good file.
    if said=$("$@" 2>&1 >/dev/null) && [ -z "$said" ]; then
        passed=$((passed + 1))
        echo "ok      $name"
    else
        failed=$((failed + 1))
        printf 'FAILED  %s\n%s\n' "$name" "$said"
    fi
}

# The application's own program is not on this machine; everything else is checked as it stands.
sed 's|^ExecStart=.*|ExecStart=/bin/true|' systemd/notes@.service >"$work/notes@.service"
check "systemd unit" systemd-analyze verify "$work/notes@.service"
check "compose file" env BASE_CLUSTER_SECRET=x POSTGRES_PASSWORD=x docker-compose -f compose.yaml config
check "alerts" promtool test rules prometheus/alerts.test.yml
for manifest in kubernetes/*.yaml; do
    check "$manifest" /usr/bin/python3 kubernetes/check.py "$manifest"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
