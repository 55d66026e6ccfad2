#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What qhsm doctor finds, and the exit code that says how bad it is.
. "$(dirname "$0")/lib.sh"
need python3

step "three zones"
"$QHSM" dev up --zones 3 --dir "$cluster"
. "$cluster/env"
# Exit code and what it finds; verdicts of one check, without repeats.
doctor() { # expected code, options...
    local expected=$1 code=0
    shift
    "$QHSM" doctor -o json "$@" >"$work/found" 2>"$work/why" || code=$?
    [ "$code" -eq "$expected" ] || { cat "$work/found" "$work/why"; fail "doctor ended with $code, not $expected"; }
}
verdicts() { json '" ".join(sorted({c["verdict"] for c in d if c["check"]=="'"$1"'"}))' <"$work/found"; }

step "nothing is wrong"
wait_for 10 eval '(doctor 0)'
[ "$(verdicts endpoint)/$(verdicts member)/$(verdicts certificate)" = ok/ok/ok ]

step "a zone is down: usable, with warnings"
"$QHSM" chaos kill b --dir "$cluster"
doctor 9
[ "$(verdicts endpoint)/$(verdicts member)" = "ok warn/ok warn" ]
grep -q '"DEGRADED"' "$work/why"
{ "$QHSM" doctor 2>/dev/null || [ $? -eq 9 ]; } | grep -Eq '^warn +member +HSM 2 of zone b: unreachable'

step "no majority: changes are impossible"
"$QHSM" chaos kill c --dir "$cluster"
wait_for 10 eval '(doctor 6)'
[ "$(verdicts cluster)" = BAD ]
grep -q '"NO_QUORUM"' "$work/why"

step "nothing answers"
"$QHSM" chaos kill a --dir "$cluster"
doctor 6
[ "$(verdicts endpoint)" = BAD ]
grep -q '"UNAVAILABLE"' "$work/why"

step "a configuration that is wrong"
"$QHSM" dev up --dir "$cluster" >/dev/null
wait_for 10 eval '(doctor 0)'
chmod 0644 "$cluster/client.key"
doctor 2
[ "$(verdicts 'client key')" = BAD ]
grep -q '"CONFIG"' "$work/why"
"$QHSM" chaos kill b --dir "$cluster"
doctor 2
chmod 0600 "$cluster/client.key"
doctor 2 --config "$work/none.conf"
