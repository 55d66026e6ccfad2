#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A cluster formed by hand as docs/operations.md says: configuration, cluster init twice, token init, the next HSM.
. "$(dirname "$0")/lib.sh"
need python3
uuid=$(new_uuid)

host() { make_hsm "$work/$1" "$1" "$uuid" "${@:2}"; } # name, lines of its own
start() { # name
    run_hsm "$work/$1"
    wait_for 10 "$QHSM" token list --config "$work/$1/client.conf"
}

step "before the daemon runs: unlock key, CA and certificate"
host a "bootstrap = yes"
rm "$work/a/unlock.key"
export QHSM_CONF=$work/a/client.conf
init() { "$QHSM" cluster init --daemon-config "$work/a/qhsmd.conf" "$@"; }
init | grep -q 'start the daemon'
for file in unlock.key ca.pem ca.key node.pem node.key; do [ -s "$work/a/$file" ] || fail "no $file"; done
[ "$(stat -c %a "$work/a/unlock.key" "$work/a/ca.key" "$work/a/node.key" | sort -u)" = 600 ]
"$QHSM_BUILD/cluster/qhsmd" --config "$work/a/qhsmd.conf" --check-config >/dev/null
must_fail 'UNAVAILABLE' init
start a

step "the cluster is formed once"
"$QHSM" cluster status | grep -q 'not formed'
must_fail '1 to 2' init --shares 2 --threshold 3
init --shares 5 --threshold 3 -o json | json 'len(set(s["share"] for s in d))' | grep -qx 5
[ "$("$QHSM" cluster status -o json | json '(d[0]["formed"], d[0]["backup_threshold"], d[0]["backup_shares"])')" = "(True, 3, 5)" ]
must_fail 'EXISTS' init
rm "$work/a/ca.key"

step "the first security officer, and an administrator's certificate"
printf 'the-so-pin\n' >"$work/so"
printf 'the-user-pin\n' >"$work/pin"
"$QHSM" token init first --so-pin-file "$work/so" --user-pin-file "$work/pin"
"$QHSM" cluster certificate create ada --role admin --days 30 --out "$work" >/dev/null
must_fail 'client, admin or keystore' "$QHSM" cluster certificate create eve --role node --out "$work"

step "the next HSM joins, and an officer approves it"
host b
code=$("$QHSM" cluster join --config "$work/b/qhsmd.conf" | grep -oE 'qhsm-key-1\.[A-Za-z0-9_-]+')
must_fail 'BAD_ARGUMENT' "$QHSM" cluster token create --key "${code%??}"
token=$("$QHSM" cluster token create --key "$code")
"$QHSM" cluster join --config "$work/b/qhsmd.conf" --token "$token" | grep -q 'start the daemon'
run_hsm "$work/b"
pending() { [ "$("$QHSM" member list -o json | json '[h["status"] for h in d if h["zone"]=="b"]')" = "['pending']" ]; }
wait_for 10 pending
"$QHSM" member approve b
both() { [ "$("$QHSM" cluster status -o json | json '[(h["role"],h["health"]) for h in d]')" = "[('leader', 'ok'), ('voter', 'ok')]" ]; }
wait_for 20 both
"$QHSM" key generate aes:256 --label both --pin-file "$work/pin" >/dev/null
QHSM_CONF=$work/b/client.conf "$QHSM" key list --linearizable --pin-file "$work/pin" | grep -q both
must_fail 'EXISTS' "$QHSM" cluster join --config "$work/b/qhsmd.conf" --token "$token"
