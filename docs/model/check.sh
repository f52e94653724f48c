#!/usr/bin/env bash
# Checks lease.pml exhaustively and then every mutant of it: each claim must hold in the model and
# break in its mutant. Needs spin and gcc. Ends with "N passed, N failed".
#   check.sh          the claims and the mutants (about a minute on two cores)
#   check.sh --long   larger bounds as well, the last of them not exhaustive (many minutes)
#   check.sh NAME     one run with its flags, and for a mutant the counterexample as a story
set -uo pipefail
model=$(cd "$(dirname "$0")" && pwd)/lease.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

still="-DDRIFT=0 -DT=2 -DTC=1"       # clocks of one rate, the shortest lease that shows the point
plain="$still -DBUMPS=0 -DCANCELS=0"
# name | what must come out: holds, lease or epoch | flags
runs() {
    cat <<LIST
crash and cancel|holds|-DCOVER $still -DBUMPS=0
crash, cancel and higher epoch|holds|-DCOVER $still
drift and crash|holds|-DCOVER -DBUMPS=0 -DCANCELS=0
drift and cancel|holds|-DCOVER -DBUMPS=0 -DCRASHES=0
three candidates|holds|-DCOVER $plain -DCRASHES=0 -DCANDIDATES=3
no quarantine|lease|-DM_NO_QUARANTINE $plain
quarantine of half a lease|lease|-DQ=1 $plain
quarantine without candidacy|epoch|-DQ=T -DBUMPS=0 -DCANCELS=0
own vote in quarantine|lease|-DM_SELF_IN_QUARANTINE $plain
own vote not asked for|lease|-DM_SELF_BYPASS $plain -DCRASHES=0
held vote stolen|lease|-DM_STEAL $plain -DCRASHES=0
floor not checked|epoch|-DM_NO_FLOOR $plain -DCRASHES=0
lease from receive time|lease|-DM_FROM_RECEIVE $plain -DCRASHES=0
no drift factor|lease|-DM_NO_DRIFT -DBUMPS=0 -DCANCELS=0 -DCRASHES=0
clock stops in a pause|lease|-DM_CLOCK_STOPS -DBUMPS=0 -DCANCELS=0 -DCRASHES=0
promises kept over a campaign|lease|-DM_STALE_ACKS $plain -DCRASHES=0 -DEMAX=3
no generation|lease|-DM_NO_GENERATION $plain -DCRASHES=0 -DEMAX=3
cached leader flag|lease|-DM_CACHED_FLAG $plain -DCRASHES=0
late promise revives a lapse|epoch|-DM_RESURRECT_LAPSED $plain -DCRASHES=0
renewed after a lapse|epoch|-DM_SAME_EPOCH $plain -DCRASHES=0
resurrected after release|lease|-DM_RESURRECT_RELEASED $plain -DCRASHES=0
resurrected after cancel|lease|-DM_RESURRECT_CANCELLED $still -DBUMPS=0 -DCRASHES=0
stale release frees newer grant|lease|-DM_STALE_RELEASE $plain -DCRASHES=0 -DEMAX=3
release without holder check|lease|-DM_RELEASE_NO_HOLDER $still -DCANCELS=0 -DCRASHES=0 -DEMAX=4
cancel without holder check|lease|-DM_CANCEL_NO_HOLDER $still -DBUMPS=0 -DCRASHES=0
bump cancelled|lease|-DM_BUMP_CANCELLED $still -DCRASHES=0 -DEMAX=3
epoch from memory alone|epoch|-DM_MEMORY_EPOCH $plain
candidacy without end|epoch|-DM_LONG_CANDIDACY $plain
LIST
}

long_runs() {
    cat <<LIST
drift, crash and cancel|holds|-DCOVER -DBUMPS=0
three candidates and crash|holds|-DCOVER $plain -DCANDIDATES=3
three epochs, higher epoch|holds|-DCOVER $still -DCANCELS=0 -DCRASHES=0 -DEMAX=3
three epochs, cancel|holds|-DCOVER $still -DBUMPS=0 -DCRASHES=0 -DEMAX=3
two crashes|holds|-DCOVER $plain -DCRASHES=2
all at once (bitstate)|holds|-DCOVER -DT=4 -DEMAX=3 -DCANDIDATES=3 -DCRASHES=2
LIST
}

# Builds and runs one line of a list; writes "passed|failed", a tab, and a line of the table.
run() {
    local name want flags dir build table log states depth seconds result verdict=failed
    IFS='|' read -r name want flags <<<"$1"
    dir=$(mktemp -d "$work/run.XXXXXX") || return
    # A mutant is found within seconds, so compiling is what takes the time.
    [ "$want" = holds ] && build=(-O2) || build=(-O0)
    table=-w22
    [[ $name == *bitstate* ]] && build+=(-DBITSTATE) && table=-w30
    case $want in lease) flags+=" -DONLY_LEASE" ;; epoch) flags+=" -DONLY_EPOCH" ;; esac
    cd "$dir" || exit 1
    cp "$model" lease.pml
    # shellcheck disable=SC2086
    if ! { spin -a $flags lease.pml && gcc -O2 -w -DSAFETY -DNOREDUCE -DMEMLIM=8000 "${build[@]}" -o pan pan.c; } >build.log 2>&1; then
        printf 'failed\t%-32s does not build: %s\n' "$name" "$(head -1 build.log)"
        return
    fi
    timeout -s INT "${LIMIT:-600}" ./pan -m1000000 -E $table >pan.log 2>&1 || true
    log=$(<pan.log)
    states=$(awk '/states, stored/ { print $1; exit }' pan.log)
    depth=$(grep -oE 'depth reached [0-9]+' pan.log | grep -oE '[0-9]+')
    seconds=$(grep -oE 'elapsed time [0-9.]+' pan.log | grep -oE '[0-9.]+')
    case $log in
        *"assertion violated at_most_one_valid_lease"*|*"assertion violated (at_most_one_valid_lease"*) result=lease ;;
        *"new_epoch_is_higher"*) result=epoch ;;
        *"acknowledgement_is_covered"*|*"grants_are_disjoint"*) result=promise ;;
        *"max search depth too small"*|*"reached -DMEMLIM"*|*"out of memory"*) result=incomplete ;;
        *"errors: 0"*) result=holds ;;
        *) result=incomplete ;;
    esac
    # Stopped by the time limit: not exhaustive, which only the bitstate run may be.
    [[ $log == *nterrupted* && $name != *bitstate* && $result == holds ]] && result=incomplete
    [ "$result" = "$want" ] && verdict=passed
    case $result in
        holds) [[ $name == *bitstate* ]] && result="nothing found" || result="holds" ;;
        lease) result="two valid leases" ;;
        epoch) result="an epoch that is not higher" ;;
        promise) result="a promise that is not covered" ;;
    esac
    printf '%s\t%-32s %10s %7s %8s  %s%s\n' "$verdict" "$name" "${states:-?}" "${depth:-?}" "${seconds:-?}" "$result" \
        "$([ "$verdict" = passed ] || echo "   <-- expected: $want")"
    if [ -n "${STORY:-}" ] && [ -e lease.pml.trail ]; then
        # shellcheck disable=SC2086
        spin -t $flags lease.pml 2>/dev/null | sed -n 's/^ *\(node\|--\)/\1/p'
    fi
}

export -f run
export model work LIMIT

case ${1:-} in
    --long) list=$(runs; long_runs) ;;
    "") list=$(runs) ;;
    *)
        line=$( (runs; long_runs) | grep "^$1|" | head -1)
        [ -n "$line" ] || { echo "no run is called '$1'" >&2; exit 2; }
        STORY=1 run "$line" | cut -f2-
        exit
        ;;
esac

printf '%-32s %10s %7s %8s  %s\n' "run" "states" "depth" "seconds" "result"
printf '%s\n' "$list" | xargs -d '\n' -P 2 -I{} bash -c 'run "$1"' _ {} >"$work/results"
# In the order of the list, whichever finished first.
passed=0 failed=0
while IFS='|' read -r name _; do
    result=$(grep -F "$(printf '\t%-32s ' "$name")" "$work/results" | head -1)
    echo "${result#*$'\t'}"
    [[ $result == passed* ]] && passed=$((passed + 1)) || failed=$((failed + 1))
done <<<"$list"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
