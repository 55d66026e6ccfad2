#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A backup goes into a new cluster of two HSMs by the one that does not lead; a third joins afterwards. All hold the same,
# and the old PINs work at each. A backup of a zone is made before its members change.
. "$(dirname "$0")/lib.sh"
need pkcs11-tool python3
start_cluster
printf '%s\n' "$QHSM_USER_PIN" >"$work/pin"
for i in $(seq 5); do "$QHSM" key generate ec:P-256 --label "key-$i" --pin-file "$work/pin" >/dev/null; done
"$QHSM" backup create >/dev/null
backup=$cluster/zone-a/state/backups/$("$QHSM" backup list -o json | json '[b["name"] for b in d if b["reason"] == "manual"][0]')
"$QHSM" key list --pin-file "$work/pin" -o json >"$work/keys"
unset QHSM_CONF
fresh=$work/fresh
mkdir "$fresh"
identity=$(new_uuid)
at() { # zone, command...
    local zone=$1
    shift
    QHSM_CONF=$fresh/zone-$zone/client.conf "$@"
}

prepare() { # zone, cluster's UUID, further lines of qhsmd.conf...
    make_hsm "$fresh/zone-$1" "$@"
    echo 'token = dev' >>"$fresh/zone-$1/client.conf"
}
join() { # zone
    local code token
    prepare "$1" "$identity"
    code=$("$QHSM" cluster join --config "$fresh/zone-$1/qhsmd.conf" | grep -oE 'qhsm-key-[^ ]*' | head -n 1)
    token=$(at a "$QHSM" cluster token create --key "$code" --approve -o json | json "d['token']")
    "$QHSM" cluster join --config "$fresh/zone-$1/qhsmd.conf" --token "$token" >/dev/null
    run_hsm "$fresh/zone-$1"
    wait_for 20 at "$1" "$QHSM" status
}
hash_at() { at "$1" "$QHSM" status -o json | json "d['state_hash']"; }
same() { # zones
    local zone first
    first=$(hash_at "$1")
    for zone in "$@"; do [ "$(hash_at "$zone")" = "$first" ] || return 1; done
}
is_voter() { at "$1" "$QHSM" status -o json | json "d['membership']" | grep -q voter; }
serves() { # zone: the keys are there and sign
    at "$1" "$QHSM" key list --pin-file "$work/pin" -o json >"$work/keys.$1"
    cmp "$work/keys" "$work/keys.$1"
    head -c 32 /dev/urandom >"$work/digest"
    at "$1" p11_user --sign --mechanism ECDSA --label key-3 -i "$work/digest" -o "$work/signature" >/dev/null
}

step "a new cluster of two HSMs, without a token"
prepare a "$identity" 'node = 1' 'bootstrap = yes'
"$QHSM" cluster init --daemon-config "$fresh/zone-a/qhsmd.conf"
run_hsm "$fresh/zone-a"
wait_for 20 at a "$QHSM" status
at a "$QHSM" cluster init --daemon-config "$fresh/zone-a/qhsmd.conf" --out "$work/shares" >/dev/null
join b
wait_for 20 is_voter b
ls "$fresh"/zone-a/state/backups/*.qhsmbackup >/dev/null || fail "no backup before the members changed"
at a "$QHSM" backup list | grep -q membership

step "the one that does not lead restores"
at b "$QHSM" backup restore --shares "$cluster/shares" --yes "$backup"
wait_for 10 same a b

step "both serve the old keys by the old PIN"
serves a
serves b

step "one that joins later does too"
join c
wait_for 20 is_voter c
wait_for 10 same a b c
serves c

step "the new cluster's own backups open by its own shares"
at c "$QHSM" backup create >/dev/null
name=$(at c "$QHSM" backup list -o json | json "[b['name'] for b in d if b['reason'] == 'manual'][0]")
at c "$QHSM" backup verify "$name" >/dev/null
at a "$QHSM" backup verify "$fresh/zone-c/state/backups/$name" >/dev/null
must_fail 'FOREIGN|another cluster' at a "$QHSM" backup verify "$backup"
