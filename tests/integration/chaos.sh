#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Emulated trouble does what it says, and ends when it is healed: links, clock, disk.
. "$(dirname "$0")/lib.sh"
need python3

step "three zones"
"$QHSM" dev up --zones 3 --dir "$cluster"
. "$cluster/env"
pin=$work/pin
printf '%s\n' "$QHSM_USER_PIN" >"$pin"
chaos() { "$QHSM" chaos "$@" --dir "$cluster"; }
# A whole status is asked of zone $1, which may be cut off.
seen_by() { in_zone "$1" "$QHSM" cluster status -o json | json "$2"; }
generate() { "$QHSM" key generate aes:256 --label "$1" --pin-file "$pin" >/dev/null; }
keys() { "$QHSM" key list --pin-file "$pin" -o json | json '" ".join(sorted(o["label"] for o in d))'; }
settled() {
    local zone
    for zone in a b c; do [ "$(seen_by "$zone" '" ".join(h["health"] for h in d)')" = "ok ok ok" ] || return 1; done
}
leader() { seen_by "$1" '([h["zone"] for h in d if h["leader"]] + ["none"])[0]'; }
others() { tr -d "$1 " <<<"abc" | fold -w1 | tr '\n' ' '; }
wait_for 10 settled
generate before
"$QHSM" cluster status --watch >"$work/seen" 2>"$work/watch.log" &
pids+=($!)
wait_for 10 grep -q 'has a majority' "$work/seen"

step "the leader is cut off: the others choose another, its own clients get no change through"
old=$(leader a)
read -r first second <<<"$(others "$old")"
begin=$(now_ms)
chaos partition "$old" | grep -q 'links cut'
elected() { [[ $(leader "$1") = "$first" || $(leader "$1") = "$second" ]]; }
wait_for 10 elected "$first"
in_zone "$first" generate majority
printf 'a change %d ms after the leader was cut off\n' $(($(now_ms) - begin))
must_fail 'NO_QUORUM' in_zone "$old" "$QHSM" key generate aes:128 --label minority --pin-file "$pin"
chaos status | grep -q 'links cut'
chaos heal "$old" | grep -q 'no trouble'
wait_for 15 settled
in_zone "$old" keys | grep -q majority
listed=$(in_zone "$old" keys)
! grep -q minority <<<"$listed" || fail "what was refused is there"

step "who watches sees it come and go"
grep -q unreachable "$work/seen"
ends_well() { tail -n 3 "$work/seen" | grep -c ' ok' | grep -qx 3; }
wait_for 10 ends_well
kill "${pids[-1]}"
wait "${pids[-1]}" || true
unset 'pids[-1]'

step "one direction alone, towards one zone"
lead=$(leader a)
read -r first second <<<"$(others "$lead")"
chaos partition "$first" --from "$second" --one-way in | grep -q 'inwards'
chaos partition "$second" --one-way out | grep -q 'outwards'
in_zone "$lead" generate one-way
chaos heal
wait_for 15 settled
in_zone "$first" keys | grep -q one-way

step "clients over TCP cut off too, the Unix socket not"
sed 's#^endpoint = unix:.*##; s#= \.\./#= '"$cluster"'/#' "$cluster/zone-b/client.conf" >"$work/tcp-b.conf"
"$QHSM" token list --config "$work/tcp-b.conf" >/dev/null
chaos partition b --clients | grep -q 'clients over TCP cut off'
must_fail 'UNAVAILABLE|DEADLINE|OUTCOME' "$QHSM" token list --config "$work/tcp-b.conf"
in_zone b "$QHSM" token list >/dev/null
sed 's#^endpoint = unix:.*##; s#^\(ca\|cert\|key\) = #&'"$cluster"'/#' "$cluster/client.conf" >"$work/tcp.conf"
for _ in 1 2 3; do "$QHSM" token list --config "$work/tcp.conf" >/dev/null; done
chaos heal
wait_for 15 settled
"$QHSM" token list --config "$work/tcp-b.conf" >/dev/null

step "slow links and lost messages: later, but whole"
for zone in a b c; do chaos slow "$zone" --delay 30ms | grep -q 'slow by 30 ms'; done
begin=$(now_ms)
generate slow
printf 'a change over links slow by 30 ms took %d ms\n' $(($(now_ms) - begin))
for zone in a b c; do chaos drop "$zone" --permille 50 | grep -q 'losing 50 of 1000'; done
for i in 1 2 3; do generate "lossy-$i"; done
chaos heal
wait_for 15 settled
[ "$(keys)" = "before lossy-1 lossy-2 lossy-3 majority one-way slow" ]

step "a clock that is off"
finding() { (in_zone b "$QHSM" doctor -o json || true) | json '[c["finding"] for c in d if c["check"]=="clock"][0]'; }
[[ $(finding) =~ by\ -?[0-9]{1,4}\ ms ]] || fail "the clock was off before"
chaos clock b --by +3600s | grep -q 'clock off by 3600000 ms'
[[ $(finding) =~ by\ -3[56][0-9]{5}\ ms ]] || fail "doctor does not see that the clock is an hour ahead: $(finding)"
in_zone b generate ahead
chaos clock b --by -2h | grep -q 'clock off by -7200000 ms'
in_zone b generate behind
chaos clock b --by 0s | grep -q 'no trouble'
in_zone b keys | grep -q 'ahead.*behind'

step "a full disk: changes are refused, keys are used, and it ends"
lead=$(leader a)
read -r first second <<<"$(others "$lead")"
chaos disk-full "$first" | grep -q 'disk full'
in_zone "$lead" generate one-disk-full
chaos disk-full "$second" >/dev/null
chaos disk-full "$lead" >/dev/null
must_fail 'DISK' in_zone "$lead" "$QHSM" key generate aes:128 --label refused --pin-file "$pin"
chaos heal
wait_for 15 settled
generate after-full
listed=$(keys)
! grep -q refused <<<"$listed" || fail "what was refused is there"

step "the machine stands still for several elections' time: the same HSM leads on"
pids_of_all=$(cat "$cluster"/zone-*/qhsmd.pid)
reign() { seen_by a '[(h["term"], h["zone"]) for h in d if h["leader"]]'; }
before=$(reign)
# shellcheck disable=SC2086
kill -STOP $pids_of_all
sleep $((2 * patience))
# shellcheck disable=SC2086
kill -CONT $pids_of_all
wait_for 15 settled
generate after-standstill
[ "$(reign)" = "$before" ] || fail "$before led before, $(reign) leads now"

step "a zone that is said to be killed is gone, with its lock and its addresses"
for _ in 1 2 3 4 5; do
    python3 - "$QHSM" "$cluster" <<'PY'
import fcntl, re, socket, subprocess, sys
qhsm, cluster = sys.argv[1:]
conf = open(cluster + "/zone-c/qhsmd.conf").read()
lock = open(cluster + "/zone-c/state/lock")
subprocess.run([qhsm, "chaos", "kill", "c", "--dir", cluster], check=True, stdout=subprocess.DEVNULL)
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
for host, port in re.findall(r"^listen_(?:tcp|peer) = (.*):(\d+)$", conf, re.M):
    socket.create_server((host, int(port))).close()
PY
    chaos restart c >/dev/null
done
wait_for 15 settled

step "who may not, and what is wrong"
must_fail 'NOT_FOUND' chaos pause z
must_fail '1000' chaos drop a --permille 1001
must_fail 'ms, s, m or h' chaos slow a --delay 5
must_fail 'in or out' chaos partition a --one-way sideways
must_fail 'itself' chaos partition a --from a
sed -i 's/^chaos = yes/chaos = no/' "$cluster/zone-c/qhsmd.conf"
chaos restart c
must_fail 'chaos = yes' chaos partition c
sed -i 's/^chaos = no/chaos = yes/' "$cluster/zone-c/qhsmd.conf"
chaos restart c
chaos partition c >/dev/null
chaos restart c
[ "$("$QHSM" chaos status -o json --dir "$cluster" | json '[z["troubles"] for z in d]')" = "[[], [], []]" ] ||
    fail "trouble outlives a restart"
wait_for 15 settled
