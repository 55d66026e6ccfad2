#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Backing keys that are deleted by hand come back with a backup, in a cluster of another identity: of a custom key store, and of KMS's
# own token. Meanwhile AWS's errors say what is missing, and what was encrypted before is opened afterwards.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kms_store_lib.sh"
need aws python3
kms_output=text

# The last backup of a development cluster's first zone, into a new cluster.
restore() { # development cluster, directory of the new one
    local backup
    backup=$(find "$1/zone-a/state/backups" -name '*.qhsmbackup' | sort | tail -n 1)
    form_hsm "$2"
    "$QHSM" backup restore --config "$2/client.conf" --shares "$1/shares" --yes "$backup" >/dev/null
}
# How a front end reaches it: over TLS, by a certificate of its CA.
front_conf() { # directory of the cluster
    QHSM_CONF=$1/client.conf "$QHSM" cluster certificate create front --role keystore --out "$1" >/dev/null
    sed -n 's/^listen_tcp = /endpoint = tcp:/p' "$1/qhsmd.conf"
    by_certificate "$1" "$1/front"
}
destroy() { # KMS key, options of qhsm key...
    local id=$1 handle
    shift
    handle=$("$QHSM" key list "$@" -o json | json "[k['handle'] for k in d if k['label'] == '$id'][0]")
    "$QHSM" key destroy "$handle" "$@" >/dev/null
}

seal() { # key
    kms encrypt --key-id "$1" --plaintext "$(printf kept | base64)" --encryption-context a=b --query CiphertextBlob
}
unseal() { # file
    kms decrypt --ciphertext-blob "fileb://$work/$1" --encryption-context a=b --query Plaintext
}
opens() { [ "$(unseal "$1" | base64 -d)" = kept ]; }

start_both_clusters 2
make_store

step "a key in a custom key store, and one of KMS's own"
connect CONNECTED
in_store=$(kms create-key --origin AWS_CLOUDHSM --custom-key-store-id "$store" --query KeyMetadata.KeyId)
own=$(kms create-key --query KeyMetadata.KeyId)
seal "$in_store" | base64 -d >"$work/sealed-in-store"
seal "$own" | base64 -d >"$work/sealed-own"

step "backups, then both keys are deleted by hand"
other "$QHSM" backup create >/dev/null
"$QHSM" backup create >/dev/null
other destroy "$in_store" --token dev --pin-file "$work/user"
destroy "$own" --token kms --user kmsuser --pin-file "$cluster/kms/password"
must_fail 'KMSInvalidStateException.*not found in the cluster of its custom key store' seal "$in_store"
must_fail 'KMSInvalidStateException.*not found in the cluster of its custom key store' unseal sealed-in-store
must_fail 'KeyUnavailableException' seal "$own"
must_fail 'KeyUnavailableException' unseal sealed-own
[ "$(key_state "$in_store")" = Enabled ] # as with AWS: a store that is disconnected makes its keys Unavailable, nothing else
[ "$(key_state "$own")" = Enabled ]

step "the store's cluster is restored from the backup, and has another CA"
restore "$store_dir" "$work/new"
"$QHSM" dev down --dir "$store_dir" >/dev/null
disconnect
[ "$(key_state "$in_store")" = Unavailable ]
must_fail 'KMSInvalidStateException' unseal sealed-in-store
front_conf "$work/new" >"$cluster/kms/store.conf"
restart_kms
connect FAILED CLUSTER_NOT_FOUND
[ "$(key_state "$in_store")" = Unavailable ]

step "it is declared as restored: the store is connected again, and its key works"
printf 'restored = %s %s\n' "$store_cluster" "$store_dir/ca.pem" >>"$cluster/kms/kms.conf"
restart_kms
disconnect
connect CONNECTED # by the password of the backup, which KMS has not changed since
[ "$(key_state "$in_store")" = Enabled ]
opens sealed-in-store
seal "$in_store" | base64 -d >"$work/sealed-later"
opens sealed-later

step "kmsuser's password is set by hand in the restored cluster"
new() { QHSM_CONF=$work/new/client.conf "$QHSM" "$@" --token dev --pin-file "$work/so"; }
printf by-hand-password >"$work/kmsuser"
new user delete kmsuser >/dev/null
new user create kmsuser --new-pin-file "$work/kmsuser" >/dev/null
disconnect
kms update-custom-key-store --custom-key-store-id "$store" --key-store-password by-hand-password
connect CONNECTED
opens sealed-in-store

step "KMS's own cluster is restored: keys, metadata and stores are as they were"
restore "$cluster" "$work/own"
must_fail 'KeyUnavailableException' unseal sealed-own
"$QHSM" kms down --dir "$cluster"
front_conf "$work/own" >"$cluster/kms/restored.conf"
sed 's/^hsm_conf = .*/hsm_conf = restored.conf/' "$cluster/kms/kms.conf" >"$cluster/kms/again.conf"
"$QHSM_BUILD/kms/qhsm-kms" --config "$cluster/kms/again.conf" >>"$work/again.log" 2>&1 &
front=$!
pids+=("$front")
wait_for 20 key_state "$own"
opens sealed-own
seal "$own" | base64 -d >"$work/sealed-own-later"
opens sealed-own-later
