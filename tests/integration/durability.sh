#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at any moment loses nothing that was acknowledged; handles and serial stay.
. "$(dirname "$0")/lib.sh"
need pkcs11-tool
export QHSM_DEV_PATIENCE=1 # the writer's client waits for the killed daemon, once a round
start_cluster
rounds=${QHSM_TEST_ROUNDS:-8}
pin=$work/pin
printf '%s\n' "$QHSM_USER_PIN" >"$pin"

kill_daemon() { kill -9 "$(cat "$cluster/zone-a/qhsmd.pid")"; }

writer() { # round: creates keys until the daemon dies, noting what was acknowledged
    local i=0
    while "$QHSM" key generate aes:256 --label "r$1-$i" --pin-file "$pin" >"$work/out.$1" 2>/dev/null; do
        printf '%s r%s-%s\n' "$(awk '{print $2}' "$work/out.$1")" "$1" "$i" >>"$work/ledger"
        i=$((i + 1))
    done
    return 0
}

serial=$("$QHSM" token show -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["serial"])')
: >"$work/ledger"
for round in $(seq "$rounds"); do
    step "round $round: write, kill -9, start again"
    QHSM_CONF=$QHSM_CONF writer "$round" &
    writer_pid=$!
    sleep "0.$((RANDOM % 6 + 2))"
    kill_daemon
    wait "$writer_pid" || true
    "$QHSM" dev up --dir "$cluster"
done

step "everything acknowledged is there, under its handle"
[ -s "$work/ledger" ] || fail "no key was ever acknowledged"
"$QHSM" key list --pin-file "$pin" -o json |
    python3 -c 'import json,sys; [print(o["handle"], o["label"]) for o in json.load(sys.stdin)]' | sort >"$work/there"
sort "$work/ledger" | comm -23 - "$work/there" >"$work/lost"
[ ! -s "$work/lost" ] || { cat "$work/lost"; fail "acknowledged keys are missing"; }
printf '%d keys acknowledged over %d kills, none lost\n' "$(wc -l <"$work/ledger")" "$rounds"
[ "$serial" = "$("$QHSM" token show -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["serial"])')" ] ||
    fail "the serial changed"
