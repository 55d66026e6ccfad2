#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Zones in network namespaces: what is cut vanishes, with no refusal and no reset. An application under load
# (failover.c) sees no error, the cluster goes on, and nothing of it is left on the machine.
. "$(dirname "$0")/lib.sh"
need python3 column ip

step "without the rights"
if [ "$(id -u)" -ne 0 ]; then
    must_fail 'sudo' "$QHSM" dev up --netns --dir "$cluster"
    skip "network namespaces need root"
fi
ip link add "qhsm-try$$" type bridge 2>/dev/null || skip "this machine lets nobody make network interfaces"
ip link del "qhsm-try$$"

step "three zones, an application near zone a, over TCP alone"
"$QHSM" dev up --zones 3 --netns --dir "$cluster"
. "$cluster/env"
pin=$work/pin
printf '%s\n' "$QHSM_USER_PIN" >"$pin"
read -r tag subnet <"$cluster/network"
grep -q "^endpoint = tcp:$subnet\.11:" "$cluster/client.conf"
! grep -q unix: "$cluster/client.conf" || fail "a Unix socket leads round the network"
[ "$(ip netns list | grep -c "^qhsm-$tag-")" = 3 ]
{ printf 'zone = a\n'; cat "$cluster/client.conf"; } >"$cluster/near.conf"
chaos() { "$QHSM" chaos "$@" --dir "$cluster"; }
healths() { in_zone "$1" "$QHSM" cluster status -o json | json '" ".join(h["health"] for h in d)'; }
all_well() { [ "$(healths b)" = "ok ok ok" ]; }

mkfifo "$work/phases"
QHSM_CONF=$cluster/near.conf "$QHSM_BUILD/tests/integration/failover" <"$work/phases" >"$work/told" 2>"$work/failover.log" &
application=$!
pids+=("$application")
exec 4>"$work/phases"
wait_for 20 grep -qx ready "$work/told"
phase() { printf '%s\n' "$1" >&4; step "$1"; }

phase calm
sleep 1
phase near-zone-vanishes
chaos partition a --clients | grep -q 'packets from clients vanish'
sleep 5
goes_on_without_a() { [ "$(healths b)" = "unreachable ok ok" ]; }
wait_for 20 goes_on_without_a
chaos status | grep -Eq '^b .*packets to zone a vanish'
"$QHSM" key generate aes:128 --label without-a --pin-file "$pin" >/dev/null
phase near-zone-heals
chaos heal >/dev/null
wait_for 20 all_well
chaos status -o json | json 'sum(len(z["troubles"]) for z in d)' | grep -qx 0
phase a-zone-hears-nothing
chaos partition c --one-way in | grep -q '^zone c: packets from zone a vanish, packets from zone b vanish$'
sleep 3
phase a-zone-hears-again
chaos heal c >/dev/null
wait_for 20 all_well
sleep 1

exec 4>&-
wait "$application" || { cat "$work/failover.log"; fail "the application ended with an error"; }
column -t "$work/told"
python3 - "$work/told" <<'PY'
import sys
rows = [dict(part.split("=", 1) for part in line.split()) for line in open(sys.argv[1]) if line.startswith("phase=")]
signs = [row for row in rows if row["work"].startswith("sign")]
bad = [row for row in rows if int(row["failed"]) > 0]
bad += [row for row in signs if row["phase"] != "start" and int(row["done"]) == 0]
print("\n".join(map(str, bad)) or "no error; the longest signature took %s ms" % max(int(row["longest_ms"]) for row in signs))
sys.exit(1 if bad or not signs else 0)
PY

step "the zone that was away has what the others did"
[ "$(in_zone a "$QHSM" key list --label without-a --pin-file "$pin" -o json | json 'len(d)')" = 1 ]

step "slow links are the daemons' own work, here too"
chaos slow b --delay 20ms | grep -q 'slow by 20 ms'
chaos heal >/dev/null

step "all daemons are killed: dev down leaves no namespace, dev up makes them again"
for zone in a b c; do chaos kill "$zone" >/dev/null; done
"$QHSM" dev down --dir "$cluster"
left() { { ip netns list; ip -o link; } | grep -c -- "$tag" || true; }
[ "$(left)" = 0 ]
"$QHSM" dev up --dir "$cluster" >/dev/null
wait_for 20 all_well
"$QHSM" dev join d --dir "$cluster" >/dev/null
[ "$(ip netns list | grep -c "^qhsm-$tag-")" = 4 ]

step "a dev up that was killed in the middle, and purge"
rm "$cluster/cluster"
"$QHSM" dev down --dir "$cluster" --purge
[ "$(left)" = 0 ]
[ ! -e "$cluster" ] || [ "$(ls "$cluster")" = near.conf ]

step "a cluster without namespaces stays so"
"$QHSM" dev up --dir "$work/plain" >/dev/null
must_fail 'without --netns' "$QHSM" dev up --netns --dir "$work/plain"
"$QHSM" dev down --dir "$work/plain" --purge
