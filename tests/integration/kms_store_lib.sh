# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced after lib.sh by the tests of custom key stores: the store $store, and a development cluster beside the KMS's own that
# holds it.
store_dir=$work/store
store_cluster=cluster-abcdefghij2
export AWS_MAX_ATTEMPTS=1

# The PINs of the store's cluster are in $work/so and $work/user.
start_both_clusters() { # zones of the store's
    step "a cluster for KMS, and one of $1 zones for the store"
    "$QHSM" dev up --zones "$1" --dir "$store_dir"
    start_cluster
    start_kms
    start_aws
    other sh -c 'printf %s "$QHSM_SO_PIN"' >"$work/so"
    other sh -c 'printf %s "$QHSM_USER_PIN"' >"$work/user"
}
# With the configuration of the store's cluster.
other() {
    (
        # shellcheck disable=SC1091
        . "$store_dir/env"
        "$@"
    )
}

front_reaches() { # pattern of the zones that the front end is to know
    {
        grep "^endpoint = tcp.*zone=$1" "$store_dir/client.conf"
        by_certificate "$store_dir" "$work/front"
    } >"$cluster/kms/store.conf"
}
declare_store_cluster() {
    step "qhsm-kms learns of the store's cluster"
    other "$QHSM" cluster certificate create front --role keystore --out "$work" >/dev/null
    front_reaches .
    printf 'cluster = %s store.conf dev\n' "$store_cluster" >>"$cluster/kms/kms.conf"
    restart_kms
}

create_store() { # name, trust anchor, kmsuser's password, id of the cluster
    kms create-custom-key-store --custom-key-store-name "$1" --trust-anchor-certificate "$(cat "$2")" --key-store-password "$3" \
        --cloud-hsm-cluster-id "$4" --query CustomKeyStoreId --output text
}
# The store $store, not connected yet, and its kmsuser, whose password is in $work/kmsuser.
make_store() {
    printf first-password >"$work/kmsuser"
    other "$QHSM" user create kmsuser --token dev --pin-file "$work/so" --new-pin-file "$work/kmsuser" >/dev/null
    declare_store_cluster
    store=$(create_store one "$store_dir/ca.pem" first-password "$store_cluster")
}
store_is() { # connection's state, its error code if it has one
    [ "$(kms describe-custom-key-stores --custom-key-store-id "$store" --query 'CustomKeyStores[0].[ConnectionState, ConnectionErrorCode]' \
        --output text)" = "$1"$'\t'"${2:-None}" ]
}
connect() { # what store_is() is to find
    kms connect-custom-key-store --custom-key-store-id "$store"
    wait_for 30 store_is "$@"
}
disconnect() { kms disconnect-custom-key-store --custom-key-store-id "$store"; }
key_state() { kms describe-key --key-id "$1" --query KeyMetadata.KeyState --output text; }
