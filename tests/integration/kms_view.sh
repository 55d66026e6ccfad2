#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two front ends' views of one cluster of three zones (kms_view.c): each request of the key store, then changes and uses of keys from
# several threads while zones are killed, and nothing is lost.
. "$(dirname "$0")/lib.sh"
seconds=${QHSM_KMS_VIEW_SECONDS:-8}
view() { "$QHSM_BUILD/tests/integration/kms_view" "$cluster/kms/client.conf" "$cluster/kms/password" "$@"; }
chaos() { "$QHSM" chaos "$@" --dir "$cluster" >/dev/null; }
all_well() { "$QHSM" cluster status -o json | json 'len(d) == 3 and all(n["health"] == "ok" and n["lag"] < 100 for n in d)' | grep -qx True; }
need python3

step "three zones, a token and a user for the front ends"
"$QHSM" dev up --dir "$cluster" --zones 3
start_kms

step "each request of the key store, and what one front end changes the other sees"
view check

step "zones are killed and come back under load"
view load "$seconds" >"$work/told" 2>"$work/load.log" &
load=$!
for zone in a b; do
    sleep 1
    chaos kill "$zone"
    sleep 1
    chaos restart "$zone"
    wait_for 20 all_well
done
wait "$load" || fail "a change or a use failed, or a change was lost"
cat "$work/told"

step "all zones are stopped and started: what was there is there"
for zone in a b c; do chaos kill "$zone"; done
for zone in a b c; do chaos restart "$zone"; done
wait_for 20 all_well
view check
view load 1
