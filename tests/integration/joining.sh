#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Joining step by step, as two operators do it: key, token, approval, voter; a start cut short; beyond five voters;
# demoted, promoted, removed, and in again as somebody new.
. "$(dirname "$0")/lib.sh"
need python3
status() { "$QHSM" cluster status -o json | json "$1"; }
of() { status "[h[\"$2\"] for h in d if h[\"zone\"]==\"$1\"][0]"; }
is() { [ "$(of "$1" "$2")" = "$3" ]; }
mode() { stat -c %a "$1"; }

new_hsm() { make_hsm "$work/$1" "$1" "$(cut -d' ' -f1 "$cluster/cluster")"; }
stop_hsm() { # signal, pid
    kill "-$1" "$2"
    wait "$2" 2>/dev/null || true
}
key_code() { "$QHSM" cluster join --config "$work/$1/qhsmd.conf" | grep -oE 'qhsm-key-1\.[A-Za-z0-9_-]+'; }
logged() { grep -qE -- "$2" "$work/$1.log"; }

step "a cluster of five"
"$QHSM" dev up --zones 5 --dir "$cluster"
. "$cluster/env"
all_vote() { [ "$(status 'sorted(h["role"] for h in d)')" = "['leader', 'voter', 'voter', 'voter', 'voter']" ]; }
wait_for 10 all_vote

step "without a token nothing starts"
new_hsm x
must_fail 'no master.key' "$QHSM_BUILD/cluster/qhsmd" --config "$work/x/qhsmd.conf"

step "key, token, waiting for approval"
code=$(key_code x)
[ "$code" = "$(key_code x)" ] || fail "another key the second time"
[ "$(mode "$work/x/node.key")" = 600 ]
token=$("$QHSM" cluster token create --key "$code")
"$QHSM" cluster join --config "$work/x/qhsmd.conf" --token "$token"
[ "$(mode "$work/x/state/join.ticket")" = 600 ]
run_hsm "$work/x"
wait_for 10 logged x 'join_waits_for_approval node=6'
is x status pending
grep -q 'waits for approval' <<<"$("$QHSM" cluster status)"
[ ! -e "$work/x/state/master.key" ] || fail "a master key before the approval"

step "killed while it waits, it goes on as the same"
stop_hsm KILL "$hsm_pid"
: >"$work/x.log"
run_hsm "$work/x"
wait_for 10 logged x 'join_waits_for_approval node=6'
[ "$("$QHSM" member list -o json | json 'len(d)')" = 6 ]

step "approved it is the sixth: a stand-by that serves keys"
"$QHSM" member approve x
wait_for 10 is x role stand-by
wait_for 10 is x lag 0
is x status member
is x health ok
[ ! -e "$work/x/state/join.ticket" ]
for file in state/master.key state/node.number node.pem node.key; do [ "$(mode "$work/x/$file")" = 600 ]; done
[ "$(cat "$work/x/state/node.number")" = 6 ]
[ ! -e "$work/x/state/joining" ] || wait_for 5 test ! -e "$work/x/state/joining"
printf '%s\n' "$QHSM_USER_PIN" >"$work/pin"
chmod 600 "$work/pin"
"$QHSM" key generate aes:256 --label joined --pin-file "$work/pin" >/dev/null
printf 'endpoint = unix:%s/x/qhsmd.sock\ntoken = %s\n' "$work" "$QHSM_TOKEN" >"$work/x/client.conf"
QHSM_CONF=$work/x/client.conf "$QHSM" key list --linearizable --pin-file "$work/pin" | grep -q joined

step "with five voters there is no sixth; where one goes, it takes the place"
must_fail 'five voters|has 5 voters' "$QHSM" member promote x
[ "$(of x role)" = stand-by ]
"$QHSM" member remove b --yes
wait_for 10 is x role voter
[ "$(status 'len(d)')" = 5 ]

step "demoted it serves and votes no more; promoted it votes"
"$QHSM" member demote x
wait_for 10 is x role stand-by
QHSM_CONF=$work/x/client.conf "$QHSM" key list --pin-file "$work/pin" | grep -q joined
"$QHSM" member promote x
wait_for 10 is x role voter

step "killed and started again it is a member"
stop_hsm KILL "$hsm_pid"
run_hsm "$work/x"
wait_for 10 is x health ok
QHSM_CONF=$work/x/client.conf "$QHSM" key list --linearizable --pin-file "$work/pin" | grep -q joined

step "a leader that is removed hands the lead over first"
"$QHSM" cluster transfer-leader x
is x leader True
"$QHSM" member remove x --yes
gone() { [ "$(status 'sum(h["zone"]=="x" for h in d)')" = 0 ] && [ "$(status 'sum(h["leader"] for h in d)')" = 1 ]; }
wait_for 10 gone
"$QHSM" key generate aes:256 --label after --pin-file "$work/pin" >/dev/null
stop_hsm TERM "$hsm_pid"

step "the removal that would lose the majority is refused"
"$QHSM" chaos kill c --dir "$cluster"
"$QHSM" chaos kill d --dir "$cluster"
two() { [ "$(status 'sum(h["reachable"] for h in d)')" = 2 ]; }
wait_for 10 two
must_fail 'no majority' "$QHSM" member remove e --yes
"$QHSM" chaos restart c --dir "$cluster"
"$QHSM" chaos restart d --dir "$cluster"
four() { [ "$(status 'sum(h["health"]=="ok" for h in d)')" = 4 ]; }
wait_for 15 four

step "in again, with an empty directory, as somebody new"
rm -rf "$work/x/state" "$work/x/node.key" "$work/x/node.pem"
code=$(key_code x)
"$QHSM" cluster join --config "$work/x/qhsmd.conf" --token "$("$QHSM" cluster token create --key "$code" --approve)"
: >"$work/x.log"
run_hsm "$work/x"
wait_for 15 is x role voter
is x id 7
QHSM_CONF=$work/x/client.conf "$QHSM" key list --linearizable --pin-file "$work/pin" | grep -q after
one_state() { [ "$(status 'len(set(h["state_hash"] for h in d))')" = 1 ]; }
wait_for 10 one_state
