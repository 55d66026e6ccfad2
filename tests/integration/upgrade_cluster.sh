#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One HSM of a cluster of three that an earlier release left behind, with the KMS on it (tests/fixtures/cluster-RELEASE.txt tells
# what is in it; tests/fixtures/make_cluster made it), under this release: recovered alone, all is there and goes on.
. "$(dirname "$0")/lib.sh"
need pkcs11-tool openssl python3 aws
release=0.1
zone=$cluster/zone-a
facts=$cluster/facts

step "unpack what release $release left behind"
mkdir "$cluster"
tar -xJf "$here/../fixtures/cluster-$release.tar.xz" -C "$cluster"
sed -i "s|DIR|$cluster|" "$zone/qhsmd.conf" "$cluster"/kms/*.conf
# Its addresses are of the day when it was made, and its certificates may have ended: the keys stay.
port=$(free_port)
sed -i -e "s|^listen_tcp = .*|listen_tcp = 127.0.0.1:$port|" -e "s|^listen_peer = .*|listen_peer = 127.0.0.1:$(free_port)|" \
    "$zone/qhsmd.conf"
for name in zone-a/node kms/keystore; do
    openssl x509 -x509toreq -copy_extensions copyall -in "$cluster/$name.pem" -signkey "$cluster/$name.key" -out "$work/request" 2>/dev/null
    certify "$cluster/ca" "$work/request" "$cluster/$name.pem" "$(days_from_now -1)" "$(days_from_now 800)"
done
printf 'endpoint = unix:%s/qhsmd.sock\ntoken = dev\n' "$zone" >"$cluster/client.conf"
export QHSM_CONF=$cluster/client.conf QHSM_MODULE=$QHSM_BUILD/p11/libqhsm-pkcs11.so QHSM_TOKEN=dev
QHSM_USER_PIN=$(cat "$facts/user")

start() {
    "$QHSM_BUILD/cluster/qhsmd" --config "$zone/qhsmd.conf" 2>>"$zone/qhsmd.log" &
    daemon=$!
    pids+=("$daemon")
    wait_for 20 "$QHSM" status
}
members() { "$QHSM" cluster status -o json | json '[(h["zone"], h["role"], h["health"]) for h in d]'; }

step "alone it may not go on; recovered it is a cluster of one"
"$QHSM" cluster recover --config "$zone/qhsmd.conf" --yes >"$work/recovered"
grep -q 'zone a is a cluster of one' "$work/recovered"
start
alone() { [ "$(members)" = "[('a', 'leader', 'ok')]" ]; }
wait_for 20 alone
"$QHSM" member list -o json | json 'sorted((h["zone"], h["status"]) for h in d)' |
    grep -qF "[('a', 'member'), ('b', 'removed'), ('c', 'removed')]"

users_and_keys() {
    "$QHSM" key list --pin-file "$facts/user" -o json >"$work/objects.json"
    cmp "$work/objects.json" "$facts/objects.json" || fail "other objects"
    "$QHSM" key list -u anna --pin-file "$facts/anna" >/dev/null
    must_fail 'locked' "$QHSM" key list -u berta --pin-file "$facts/berta"
    must_fail 'wrong PIN' "$QHSM" key list -u anna --pin-file "$facts/wrong"
    "$QHSM" policy show -o json | json 'd["pin_tries_max"]' | grep -qx 3
    p11_user --sign -m SHA256-RSA-PKCS --id 01 -i "$facts/message" -o "$work/rsa" >/dev/null
    cmp "$work/rsa" "$facts/rsa-a.sig" || fail "another RSA signature"
    p11_user --verify -m ECDSA-SHA256 --signature-format openssl --id 03 -i "$facts/message" --signature-file "$facts/ec-a.sig" |
        grep -q 'Signature is valid' || fail "the former ECDSA signature"
}
step "users, PIN counters, policy and keys are as they were"
users_and_keys

step "the KMS on it: keys, ciphertexts, grants, IAM and stores"
sed -i -e '/^endpoint = /d' "$cluster/kms/client.conf"
printf 'endpoint = tcp:127.0.0.1:%s?zone=a\n' "$port" >>"$cluster/kms/client.conf"
http=127.0.0.1:$(free_port)
sed -i -e "s|^listen = .*|listen = $http|" -e '/^listen_https/d' -e '/^cert = /d' -e '/^key = /d' "$cluster/kms/kms.conf"
mkdir -p "$cluster/kms/trail/kms"
set -a
# shellcheck disable=SC1091
. "$cluster/aws"
set +a
export QHSM_KMS_ENDPOINT=http://$http AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
start_front() {
    "$QHSM_BUILD/kms/qhsm-kms" --config "$cluster/kms/kms.conf" 2>>"$work/qhsm-kms.log" &
    front=$!
    pids+=("$front")
    wait_for 20 curl -fs "$QHSM_KMS_ENDPOINT/ping"
}
start_front
boto "$here/upgrade_kms.py" check "$facts/kms.json"

step "the same after a kill of both, and from a new HSM that joined"
stop_both() { kill -KILL "$daemon" "$front" && wait "$daemon" "$front" 2>/dev/null || true; }
"$QHSM" key list --pin-file "$facts/user" -o json | cmp - "$facts/objects.json" || fail "KMS's changes are seen in another token"
stop_both
start
wait_for 20 alone
make_hsm "$work/b" b "$(sed -n 's/^cluster = //p' "$zone/qhsmd.conf")"
code=$("$QHSM" cluster join --config "$work/b/qhsmd.conf" | grep -oE 'qhsm-key-[^ ]*' | head -n 1)
"$QHSM" cluster join --config "$work/b/qhsmd.conf" --token "$("$QHSM" cluster token create --key "$code" --approve)" >/dev/null
run_hsm "$work/b"
both() { [ "$("$QHSM" cluster status -o json | json '(sum(h["role"] in ("leader", "voter") for h in d), len(set(h["state_hash"] for h in d)))')" = "(2, 1)" ]; }
wait_for 20 both
printf 'token = dev\n' >>"$work/b/client.conf"
QHSM_CONF=$work/b/client.conf users_and_keys
start_front
boto "$here/upgrade_kms.py" use "$facts/kms.json"
