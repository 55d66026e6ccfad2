#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An HSM's directory of an earlier release (tests/fixtures/state-RELEASE.txt tells what is in it) under this daemon:
# everything is there and goes on.
. "$(dirname "$0")/lib.sh"
need pkcs11-tool openssl python3
release=0.1
fixture=$here/../fixtures/state-$release
zone=$cluster/zone-a

step "unpack what release $release left behind"
mkdir -p "$zone"
tar -xJf "$fixture.tar.xz" -C "$zone"
chmod 0600 "$zone/unlock.key"
facts=$zone/facts
fact() { sed -n "s/^$1  *//p" "$fixture.txt"; }
cat >"$zone/qhsmd.conf" <<EOF
cluster = $(fact cluster | cut -d, -f1)
node = 1
zone = a
state_dir = state
unlock_key = unlock.key
listen_unix = $zone/qhsmd.sock
snapshot_threshold = 16
snapshot_trailing = 32
EOF
cat >"$cluster/client.conf" <<EOF
endpoint = unix:$zone/qhsmd.sock
token = dev
EOF
export QHSM_CONF=$cluster/client.conf
QHSM_MODULE=$QHSM_BUILD/p11/libqhsm-pkcs11.so
QHSM_TOKEN=dev
QHSM_USER_PIN=n5rrn92eiixz
for name in user:n5rrn92eiixz so:jukfiveb7vs6 anna:anna-secret berta:berta-secret carla:carla-secret \
    second:second-user wrong:wrong-pin; do
    printf '%s\n' "${name#*:}" >"$work/${name%%:*}"
done

start() {
    "$QHSM_BUILD/cluster/qhsmd" --config "$zone/qhsmd.conf" 2>>"$zone/qhsmd.log" &
    pids=($!)
    wait_for 20 "$QHSM" status
}
stop() { kill "$1" "${pids[0]}" && wait "${pids[0]}" || true; }
status() { "$QHSM" status -o json | json "d['$1']"; }

step "start this release on it"
start
[ "$(status applied)" = "$(fact applied)" ] || fail "applied $(status applied), release $release had $(fact applied)"
[ "$(status state_hash)" = "$(fact 'state hash')" ] || fail "another state hash: $(status state_hash)"

step "tokens, users and policy are as they were"
[ "$("$QHSM" token list -o json | json "[(t['slot'],t['label'],t['serial'],t['objects']) for t in d][:2]")" = \
    "[(1, 'dev', 'd21e4aca0efab870', 45), (2, 'second', '01803a734ed91b92', 2)]" ] || fail "other tokens"
[ "$("$QHSM" user list -o json | json "[(u['name'],u['locked'],u['disabled'],u['tries_left']) for u in d]")" = \
    "[('anna', False, False, 2), ('berta', True, False, 0), ('carla', False, True, 3), ('so', False, False, 3), ('user', False, False, 3)]" ] ||
    fail "other users"
[ "$("$QHSM" policy show -o json | json "(d['epoch'],d['pin_tries_max'],d['users_max'],d['disabled'])")" = \
    "(2, 3, 20, ['CKM_AES_CBC'])" ] || fail "another policy"

objects_are_there() {
    "$QHSM" key list --pin-file "$work/user" -o json >"$work/objects.json"
    python3 - "$facts/objects.json" "$work/objects.json" <<'PY'
import json, sys
before, now = ({o["handle"]: o for o in json.load(open(n))} for n in sys.argv[1:])
wrong = [h for h, o in before.items() if {k: now.get(h, {}).get(k) for k in o} != o]
sys.exit(f"objects are missing or others: {wrong}" if wrong else 0)
PY
}
step "every object is there, under its handle"
objects_are_there
"$QHSM" key list --token second --pin-file "$work/second" -o json | json "sorted(o['handle'] for o in d)" | grep -qx '\[48, 49\]' ||
    fail "the second token's objects"

step "PINs are right and wrong, the locked and the disabled are refused"
"$QHSM" key list -u anna --pin-file "$work/anna" >/dev/null
must_fail 'locked' "$QHSM" key list -u berta --pin-file "$work/berta"
must_fail 'disabled' "$QHSM" key list -u carla --pin-file "$work/carla"
must_fail 'wrong PIN' "$QHSM" key list -u anna --pin-file "$work/wrong"

keys_work() { # directory for what is made
    mkdir -p "$1"
    p11_user --sign -m SHA256-RSA-PKCS --id 01 -i "$facts/message" -o "$1/rsa" >/dev/null
    cmp "$1/rsa" "$facts/rsa-a.sig" || fail "another RSA signature"
    p11_user --sign -m ECDSA-SHA256 --signature-format openssl --id 03 -i "$facts/message" -o "$1/ec" >/dev/null
    openssl pkey -pubin -inform DER -in "$facts/ec-a.der" -out "$1/ec.pem"
    openssl dgst -sha256 -verify "$1/ec.pem" -signature "$1/ec" "$facts/message" >/dev/null || fail "a bad ECDSA signature"
    p11_user --verify -m ECDSA-SHA256 --signature-format openssl --id 03 -i "$facts/message" \
        --signature-file "$facts/ec-a.sig" | grep -q 'Signature is valid' || fail "the former ECDSA signature"
    p11_user --sign -m SHA256-HMAC --id 20 -i "$facts/message" -o "$1/mac" >/dev/null 2>&1
    cmp "$1/mac" "$facts/mac-a.mac" || fail "another MAC"
    p11_user --decrypt -m AES-CBC-PAD --iv 000102030405060708090a0b0c0d0e0f --id 14 -i "$facts/aes-256.cbc" \
        -o "$1/plain" >/dev/null 2>&1
    cmp "$1/plain" "$facts/message" || fail "another plaintext"
}
step "keys sign, verify, MAC and decrypt what release $release made"
keys_work "$work/first"

step "changes go on, over a snapshot of this release and a kill"
for i in $(seq 20); do "$QHSM" key generate aes:256 --label "new-$i" --pin-file "$work/user" >"$work/made"; done
grep -q ' 69$' "$work/made" || { cat "$work/made"; fail "handles do not go on where they were"; }
"$QHSM" user unlock berta --pin-file "$work/so"
"$QHSM" policy set serve_without_leader_s=30 --pin-file "$work/so" >/dev/null
"$QHSM" key list -u berta --pin-file "$work/berta" >/dev/null
hash=$(status state_hash) applied=$(status applied)
stop -KILL
start
[ "$(status applied) $(status state_hash)" = "$applied $hash" ] || fail "another state after the kill"
stop -TERM
start
objects_are_there
keys_work "$work/again"
"$QHSM" policy show -o json | json "d['serve_without_leader_s']" | grep -qx 30 || fail "the new setting was lost"
must_fail 'disabled' "$QHSM" key list -u carla --pin-file "$work/carla"
stop -TERM

step "it forms a cluster, and another HSM joins and holds the same"
member() { # zone: the part of its qhsmd.conf that a member has
    printf 'zone = %s\nstate_dir = state\nunlock_key = unlock.key\nlisten_unix = %s/zone-%s/qhsmd.sock\n' "$1" "$cluster" "$1"
    printf 'listen_tcp = 127.0.0.1:%s\nlisten_peer = 127.0.0.1:%s\n' "$(free_port)" "$(free_port)"
    printf 'ca = ca.pem\ncert = node.pem\nkey = node.key\nheartbeat_ms = 100\nelection_ms = 500\n'
}
{ sed -n '/^cluster\|^node/p' "$zone/qhsmd.conf"; printf 'bootstrap = yes\n'; member a; } >"$zone/new.conf"
mv "$zone/new.conf" "$zone/qhsmd.conf"
"$QHSM" cluster init --daemon-config "$zone/qhsmd.conf"
start
"$QHSM" cluster init --daemon-config "$zone/qhsmd.conf" --out "$work/shares" >/dev/null
mkdir "$cluster/zone-b"
{ sed -n '/^cluster/p' "$zone/qhsmd.conf"; member b; } >"$cluster/zone-b/qhsmd.conf"
(umask 077 && head -c 32 /dev/urandom >"$cluster/zone-b/unlock.key")
code=$("$QHSM" cluster join --config "$cluster/zone-b/qhsmd.conf" | grep -oE 'qhsm-key-[^ ]*' | head -n 1)
token=$("$QHSM" cluster token create --key "$code" --approve -o json | json "d['token']")
"$QHSM" cluster join --config "$cluster/zone-b/qhsmd.conf" --token "$token" >/dev/null
"$QHSM_BUILD/cluster/qhsmd" --config "$cluster/zone-b/qhsmd.conf" 2>>"$cluster/zone-b/qhsmd.log" &
pids+=($!)
printf 'endpoint = unix:%s/zone-b/qhsmd.sock\ntoken = dev\n' "$cluster" >"$cluster/b.conf"
both_hold_the_same() {
    [ "$(status state_hash)" = "$(QHSM_CONF=$cluster/b.conf status state_hash)" ]
}
wait_for 20 both_hold_the_same
export QHSM_CONF=$cluster/b.conf
objects_are_there
keys_work "$work/joined"
"$QHSM" key list -u anna --pin-file "$work/anna" >/dev/null
must_fail 'disabled' "$QHSM" key list -u carla --pin-file "$work/carla"
