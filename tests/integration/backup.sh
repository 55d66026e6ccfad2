#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From keys and users over a backup and its shares to a new HSM where the same handles sign and the same PINs work; and
# every file and share that is wrong is refused.
. "$(dirname "$0")/lib.sh"
need pkcs11-tool openssl python3
start_cluster
old_conf=$QHSM_CONF
backups=$cluster/zone-a/state/backups
printf '%s\n' "$QHSM_USER_PIN" >"$work/pin"
printf '%s\n' "$QHSM_SO_PIN" >"$work/so"
printf 'alice-password\n' >"$work/alice"
printf 'wrong-password\n' >"$work/wrong"
printf 'bob-password\n' >"$work/bob"
chmod 0600 "$work"/{pin,so,alice,wrong,bob}

# A fresh HSM with an identity of its own; the daemon is started.
new_hsm() { # directory
    local dir=$1
    mkdir -m 0700 "$dir"
    head -c 32 /dev/urandom >"$dir/unlock.key"
    chmod 0600 "$dir/unlock.key"
    cat >"$dir/qhsmd.conf" <<CONF
cluster = $(python3 -c 'import uuid; print(uuid.uuid4())')
zone = new
node = 1
bootstrap = yes
state_dir = $dir/state
unlock_key = $dir/unlock.key
listen_unix = $dir/sock
backup_interval_s = 0
CONF
    printf 'endpoint = unix:%s\ntoken = dev\n' "$dir/sock" >"$dir/client.conf"
    start_hsm "$dir"
}
start_hsm() { # directory
    local dir=$1
    "$QHSM_BUILD/cluster/qhsmd" --config "$dir/qhsmd.conf" >>"$work/${dir##*/}.log" 2>&1 &
    hsm_pid=$!
    pids+=("$hsm_pid")
    wait_for 30 "$QHSM" status --config "$dir/client.conf"
}
restore() { # directory, path, shares
    "$QHSM" backup restore --config "$1/client.conf" --shares "$3" --yes "$2"
}
keys() { "$QHSM" key list --pin-file "$work/pin" -o json; }
sign() { # label, output
    p11_user --sign --mechanism ECDSA --signature-format openssl --label "$1" -i "$work/digest" -o "$2" >/dev/null
}

step "keys, users, a locked one, a disabled one"
"$QHSM" key generate ec:P-256 --label signer --pin-file "$work/pin" >/dev/null
"$QHSM" key generate rsa:2048 --label gate --pin-file "$work/pin" >/dev/null
"$QHSM" key generate aes:256 --label vault --pin-file "$work/pin" >/dev/null
head -c 32 /dev/urandom >"$work/known"
"$QHSM" key import "$work/known" --type aes --label imported-known-value --pin-file "$work/pin" >/dev/null
"$QHSM" user create alice --pin-file "$work/so" --new-pin-file "$work/alice"
"$QHSM" user create bob --pin-file "$work/so" --new-pin-file "$work/bob"
"$QHSM" user create carol --pin-file "$work/so" --new-pin-file "$work/bob"
"$QHSM" user disable carol --pin-file "$work/so"
for _ in $(seq 10); do
    "$QHSM" key list --user bob --pin-file "$work/wrong" >/dev/null 2>&1 && fail "a wrong PIN worked"
done
must_fail 'PIN_LOCKED' "$QHSM" key list --user bob --pin-file "$work/bob"
p11_user --read-object --type pubkey --label signer -o "$work/signer.der" >/dev/null
openssl pkey -pubin -inform DER -in "$work/signer.der" -out "$work/signer.pem"
head -c 32 /dev/urandom >"$work/digest"
keys >"$work/keys.old"
"$QHSM" user list -o json >"$work/users.old"
serial=$("$QHSM" token show -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["serial"])')

step "make, list and verify a backup"
"$QHSM" backup create | grep -q manual
"$QHSM" backup list -o json >"$work/list"
name=$(python3 -c 'import json,sys; print([b["name"] for b in json.load(sys.stdin) if b["reason"] == "manual"][0])' <"$work/list")
backup=$backups/$name
[ -s "$backup" ] || fail "no file $backup"
"$QHSM" backup verify "$name" >/dev/null
"$QHSM" backup verify "$backup" >/dev/null
must_fail 'NOT_FOUND' "$QHSM" backup verify nothing.qhsmbackup

step "nothing of keys and names can be read in the file"
for text in signer vault imported-known-value alice; do
    if grep -aqF "$text" "$backup"; then fail "'$text' stands in the backup"; fi
done
python3 - "$backup" "$work/known" <<'PY'
import sys
backup, secret = (open(name, "rb").read() for name in sys.argv[1:])
assert not [at for at in range(len(secret) - 7) if secret[at:at + 8] in backup]
PY

step "damaged, cut short, foreign, no backup: refused with the reason"
flip() { # offset, output
    python3 - "$backup" "$1" "$2" <<'PY'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[int(sys.argv[2])] ^= 0x20
open(sys.argv[3], "wb").write(data)
PY
}
size=$(stat -c %s "$backup")
for at in 12 40 200 $((size / 2)) $((size - 1)); do
    flip "$at" "$work/damaged"
    must_fail 'TAMPERED' "$QHSM" backup verify "$work/damaged"
done
head -c $((size - 1)) "$backup" >"$work/short"
must_fail 'cut short' "$QHSM" backup verify "$work/short"
must_fail 'no backup' "$QHSM" backup verify "$work/signer.pem"

step "a new HSM with another identity"
new_hsm "$work/new"
export QHSM_CONF=$work/new/client.conf
must_fail 'FOREIGN|another cluster' "$QHSM" backup verify "$backup"
must_fail 'NOT_FORMED' "$QHSM" backup create
head -n 1 "$cluster/shares" >"$work/one"
head -n 2 "$cluster/shares" >"$work/two"
{ head -n 1 "$cluster/shares" && head -n 1 "$cluster/shares"; } >"$work/twice"
{ head -n 1 "$cluster/shares" && sed -n 2p "$cluster/shares" | tr 2-8 3-9; } >"$work/mistyped"
must_fail '1 more shares are needed' restore "$work/new" "$backup" "$work/one"
must_fail 'shares 1 and 2 are the same' restore "$work/new" "$backup" "$work/twice"
must_fail 'share 2' restore "$work/new" "$backup" "$work/mistyped"
flip $((size - 100)) "$work/damaged"
must_fail 'TAMPERED' restore "$work/new" "$work/damaged" "$work/two"
must_fail 'nothing was restored|no such|NOT_FOUND' restore "$work/new" "$work/nowhere" "$work/two"
[ "$("$QHSM" status -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["tokens"])')" = 0 ] ||
    fail "a refused restore left something"

step "two of three shares restore it"
restore "$work/new" "$backup" "$work/two"
"$QHSM" backup status | grep -q finished

step "the same handles, labels, serial and users"
keys >"$work/keys.new"
cmp "$work/keys.old" "$work/keys.new"
"$QHSM" user list -o json >"$work/users.new"
cmp "$work/users.old" "$work/users.new"
[ "$serial" = "$("$QHSM" token show -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["serial"])')" ] ||
    fail "the serial changed"

step "the keys sign, the PINs work, the locked stay locked"
sign signer "$work/signature"
openssl pkeyutl -verify -pubin -inkey "$work/signer.pem" -in "$work/digest" -sigfile "$work/signature" | grep -q Success
"$QHSM" key list --user alice --pin-file "$work/alice" >/dev/null
must_fail 'PIN_INCORRECT' "$QHSM" key list --user alice --pin-file "$work/wrong"
must_fail 'PIN_LOCKED' "$QHSM" key list --user bob --pin-file "$work/bob"
must_fail 'USER_DISABLED' "$QHSM" key list --user carol --pin-file "$work/bob"
"$QHSM" user unlock bob --pin-file "$work/so"
"$QHSM" key list --user bob --pin-file "$work/bob" >/dev/null
"$QHSM" key generate aes:256 --label later --pin-file "$work/pin" >/dev/null

step "after a restart too"
kill "$hsm_pid"
wait "$hsm_pid" || true
start_hsm "$work/new"
sign signer "$work/signature"
openssl pkeyutl -verify -pubin -inkey "$work/signer.pem" -in "$work/digest" -sigfile "$work/signature" | grep -q Success

step "a second restore is refused, and one into the cluster that made the backup"
must_fail 'tokens already' restore "$work/new" "$backup" "$work/two"
QHSM_CONF=$old_conf must_fail 'tokens already' "$QHSM" backup restore --shares "$work/two" --yes "$backup"
